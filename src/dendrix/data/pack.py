"""Data folder and `.npz` packs: path resolution and checked reading."""

import os
import zipfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.archives import read_npz
from ..errors import InputError


def data_root(root: str | Path | None, title: str, advice: str) -> Path:
    """Return the given path, or the folder that the environment variable DENDRIX_DATA names.

    Args:
        root: path given by the user; None takes DENDRIX_DATA.
        title: name of the data set, for the error message.
        advice: how to get the data set, for the error message.
    Raises:
        FileNotFoundError: no path is given, or it does not exist.
    """
    root = root or os.environ.get("DENDRIX_DATA")
    if not root:
        raise FileNotFoundError(f"{title}: no data folder was given. {advice} and pass its folder, or set DENDRIX_DATA to it.")
    base = Path(root).expanduser()
    if not base.exists():
        raise FileNotFoundError(f"{title}: expected a data folder, but {base} does not exist. Check the path or DENDRIX_DATA.")
    return base


def read_pack(path: Path, title: str, keys: Sequence[str], whole: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """Read arrays of an `.npz` file.

    Args:
        path: file to read.
        title: name of the data set, for the error message.
        keys: names of the arrays.
        whole: those that must be whole numbers, [N].
    Returns:
        the arrays by name, in the order of `keys`.
    Raises:
        OSError: the file cannot be opened.
        InputError: the file is not an `.npz`, is truncated or damaged, or lacks an array.
    """
    with path.open("rb") as file:  # given a path, `is_zipfile` would report a file without read permission as not a zip file
        packed = zipfile.is_zipfile(file)
    if not packed:
        raise InputError(
            f"{path}: expected the {title} pack or a data folder, got another kind of file or a truncated one. Check the path."
        )
    found = read_npz(path, keys, f"the {title} pack")
    if missing := [key for key in keys if key not in found]:
        raise InputError(f"{path}: expected the {title} pack, but it cannot be read (it lacks {', '.join(missing)}). Copy it again.")
    for key in whole:
        values = found[key]
        fits = values.ndim == 1 and values.dtype.kind in "iuf"
        if fits and values.dtype.kind == "f":
            fits = bool((np.abs(values) < 2**53).all() and (values == np.rint(values)).all())
            found[key] = values.astype(np.int64) if fits else values
        if not fits:
            came = f"{values.dtype} of shape {list(values.shape)}"
            raise InputError(f"{path}: {key}: expected whole numbers [N], got {came}. Is this the {title} pack?")
    return {key: found[key] for key in keys}


def ranges(path: Path, ends: NDArray[Any], total: int, *arrays: NDArray[Any]) -> NDArray[np.int64]:
    """Check that N items of a pack are ranges, one behind the other, of a long array, and that N values of other arrays belong to them.

    Args:
        path: the pack, for the error message.
        ends: start of each item and end of the last one, [N + 1].
        total: length of the long array.
        arrays: other arrays, [N].
    Returns:
        the starts and the end.
    Raises:
        InputError: they are not.
    """
    plain = ends.tolist()  # unsigned numbers would wrap where an end is before its start
    whole = len(plain) > 1 and plain[0] == 0 and plain[-1] == total and all(one < other for one, other in pairwise(plain))
    if not whole or {len(array) for array in arrays} != {len(plain) - 1}:
        raise InputError(f"{path}: expected a range and a value of each array for each item, but the arrays do not match. Copy it again.")
    return np.array(plain, np.int64)
