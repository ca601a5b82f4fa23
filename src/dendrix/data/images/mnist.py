"""MNIST: greyscale images of handwritten digits, 28 x 28 pixels, 60,000 for training and 10,000 for testing.

Y. LeCun, C. Cortes and C. Burges, usually cited as CC BY-SA 3.0; http://yann.lecun.com/exdb/mnist and its mirrors provide the four files.
"""

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.limits import expect_within
from ...errors import InputError
from ..pack import read_pack

_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_PACK = "mnist_small.npz"
_PLACES = ("", "images", "mnist", "MNIST/raw")
_MOST_AXES = 8
_UINT8 = 8
"""Code of unsigned bytes, the only data type of these files, in the header of the idx format."""


_DENSEST = 1100
"""Largest ratio of gzip's output to its input, rounded up."""


class Images(NamedTuple):
    """Labelled images."""

    x: Tensor
    """Intensities 0 to 255, uint8 [N, 28, 28]."""
    y: Tensor
    """Digits, int64 [N]."""


def mnist(root: str | Path | None = None) -> tuple[Images, Images]:
    """Load the training and the test images, in their original order.

    Args:
        root: folder with the four published files, compressed (.gz) or not, the pack `mnist_small.npz` with a subset of them, or a
            folder that contains either. None takes the folder named by the environment variable DENDRIX_DATA.
    Raises:
        FileNotFoundError: no folder is given, or it contains neither.
        OSError: a file cannot be opened.
        InputError: a file is damaged or in another format.
    """
    paths = _find(root)
    arrays = _read_pack(paths[0]) if len(paths) == 1 else [_read_idx(path) for path in paths]
    return _images(arrays[0], arrays[1], paths[0]), _images(arrays[2], arrays[3], paths[-1])


def _find(root: str | Path | None) -> list[Path]:
    """Return the four files, or the pack alone."""
    root = root or os.environ.get("DENDRIX_DATA")
    if not root:
        raise FileNotFoundError("MNIST: no data folder was given. Pass the folder of the four idx files, or set DENDRIX_DATA to it.")
    base = Path(root).expanduser()
    if not base.exists():
        raise FileNotFoundError(f"MNIST: expected a data folder, but {base} does not exist. Check the path or DENDRIX_DATA.")
    if base.is_file():
        return [base]
    for place in (base / name for name in _PLACES):
        found = [path for name in _FILES for path in (place / name, place / f"{name}.gz") if path.is_file()]
        whole = {path.name.removesuffix(".gz"): path for path in reversed(found)}
        if len(whole) == len(_FILES):
            return [whole[name] for name in _FILES]
        if (place / _PACK).is_file():
            return [place / _PACK]
    raise FileNotFoundError(f"MNIST: expected {', '.join(_FILES)} (or .gz of each), or {_PACK}, in {base}, found neither. Check the path.")


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an idx file: two zero bytes, the data type, the number of axes, their sizes (big-endian), and the values."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4)
            axes = head[3] if len(head) > 3 else 0
            sizes = file.read(4 * axes)
            if head[:3] != bytes([0, 0, _UINT8]) or len(sizes) < 4 * axes or axes > _MOST_AXES:
                raise InputError(f"{path}: expected an idx file of unsigned bytes, got another kind of file. Check the path.")
            shape = [int(size) for size in np.frombuffer(sizes, ">u4")]
            if 0 in shape:
                raise InputError(f"{path}: expected at least one value, got the shape {shape}. Copy it again.")
            if math.prod(shape) > path.stat().st_size * (_DENSEST if path.suffix == ".gz" else 1):
                raise InputError(f"{path}: expected {math.prod(shape)} values according to its header, got fewer. Copy it again.")
            expect_within(math.prod(shape), "array_bytes", str(path))
            values = file.read(math.prod(shape))
            behind = file.read(1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: expected a gzip file, but it cannot be read ({error}). Copy it again.") from error
    if len(values) != math.prod(shape) or behind:
        came = "more" if behind else str(len(values))
        raise InputError(f"{path}: expected {math.prod(shape)} values according to its header, got {came}. Copy it again.")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_pack(path: Path) -> list[NDArray[np.uint8]]:
    return list(read_pack(path, "MNIST", ("train_x", "train_y", "test_x", "test_y"), ("train_y", "test_y")).values())


def _images(x: NDArray[np.uint8], y: NDArray[np.uint8], path: Path) -> Images:
    if x.dtype != np.uint8 or x.ndim != 3 or x.shape[1:] != (28, 28) or y.shape != x.shape[:1] or len(y) == 0 or y.min() < 0 or y.max() > 9:
        raise InputError(
            f"{path}: expected images [N, 28, 28] of bytes with N digits 0 to 9, got {list(x.shape)} {x.dtype} and {list(y.shape)} labels. "
            "Are these the MNIST files?"
        )
    return Images(torch.from_numpy(x.copy()), torch.from_numpy(y.astype(np.int64)))
