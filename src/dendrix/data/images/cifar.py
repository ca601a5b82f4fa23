"""CIFAR-10: colour images of 32 x 32 pixels in ten classes, 50,000 for training and 10,000 for testing.

A. Krizhevsky (2009), "Learning multiple layers of features from tiny images"; https://www.cs.toronto.edu/~kriz/cifar.html provides the
binary and the Python version, free for research with citation.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import InputError
from ..base import Splits
from ..pack import data_root, ranges, read_pack
from .base import ImageDataset, hold_out
from .pictures import read_picture
from .plain_pickle import read_plain_pickle

_TITLE = "CIFAR-10"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
_PACK = ("cifar10_train.npz", "cifar10_test_public.npz")
_PLACES = ("", "images", "cifar10", "cifar-10-batches-bin", "cifar-10-batches-py")
_SHAPE = (3, 32, 32)
_ROW = 1 + 3 * 32 * 32
"""Bytes per image in the binary version: the class, then the red, green and blue channel, each row by row."""


def cifar10(root: str | Path | None = None, held_out: int = 5000) -> Splits[ImageDataset]:
    """Load CIFAR-10.

    Args:
        root: folder with the published files (data_batch_1.bin to data_batch_5.bin and test_batch.bin of the binary version, or the same
            names without .bin of the Python version) or with a pack of JPEG images, or a folder that contains one of these. None takes
            the folder named by the environment variable DENDRIX_DATA.
        held_out: number of training images, from the end, that are used for validation.
    Raises:
        FileNotFoundError: no folder is given, or it contains none of the three.
        OSError: a file cannot be opened.
        InputError: a file is damaged or in another format, or the training or the validation split would be empty.
        MissingExtraError: the pack needs Pillow, which is not installed.
    """
    paths = _find(root)
    read = {".npz": _read_pack, ".bin": _read_binary, "": _read_python}[paths[0].suffix]
    parts = [read(path) for path in paths]
    train = ImageDataset(torch.cat([x for x, _ in parts[:-1]]), torch.cat([y for _, y in parts[:-1]]), CLASSES)
    return hold_out(train, ImageDataset(*parts[-1], CLASSES), held_out)


def _find(root: str | Path | None) -> list[Path]:
    """Return the files of one version; the last one is the test split."""
    base = data_root(root, _TITLE, "Get the files of either version from https://www.cs.toronto.edu/~kriz/cifar.html")
    for place in (base / name for name in _PLACES):
        for names in ([f"{name}.bin" for name in _BATCHES], _BATCHES, _PACK):
            paths = [place / name for name in names]
            if all(path.is_file() for path in paths):
                return paths
    raise FileNotFoundError(
        f"{_TITLE}: expected data_batch_1.bin to _5.bin and test_batch.bin, or these without .bin, or {' and '.join(_PACK)}, in {base}, "
        "found none of them. Check the path."
    )


def _read_binary(path: Path) -> tuple[Tensor, Tensor]:
    content = np.fromfile(path, np.uint8)
    if not len(content) or len(content) % _ROW:
        raise InputError(f"{path}: expected images of {_ROW} bytes each, got {len(content)} bytes. Copy it again.")
    rows = content.reshape(-1, _ROW)
    return _checked(rows[:, 1:], rows[:, 0], path)


def _read_python(path: Path) -> tuple[Tensor, Tensor]:
    batch = read_plain_pickle(path)
    try:
        return _checked(batch[b"data"], np.asarray(batch[b"labels"]), path)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: expected a batch of CIFAR-10 with data and labels, got another pickle. Check the path.") from error


def _read_pack(path: Path) -> tuple[Tensor, Tensor]:
    keys = ("jpeg", "offsets", "labels")
    jpeg, ends, y = read_pack(path, _TITLE, keys, keys).values()
    offsets = ranges(path, ends, len(jpeg), y)
    x = np.empty((len(y), *_SHAPE), np.uint8)
    for number, (start, end) in enumerate(pairwise(offsets)):
        name = f"{path}, image {number}"
        image = read_picture(jpeg[start:end].tobytes(), name)
        if image.shape != _SHAPE:
            raise InputError(f"{name}: expected {list(_SHAPE)}, got {list(image.shape)}. Is this CIFAR-10?")
        x[number] = image
    return _checked(x, y, path)


def _checked(x: NDArray[np.uint8], y: NDArray[np.integer], path: Path) -> tuple[Tensor, Tensor]:
    if x.dtype != np.uint8 or x.size != len(y) * (_ROW - 1) or not len(y) or y.min() < 0 or y.max() >= len(CLASSES):
        raise InputError(
            f"{path}: expected images [N, 3072] of bytes with N classes 0 to 9, got {list(x.shape)} {x.dtype} and {len(y)} classes. "
            "Is this CIFAR-10?"
        )
    return torch.from_numpy(x.reshape(-1, *_SHAPE).copy()), torch.from_numpy(y.astype(np.int64))
