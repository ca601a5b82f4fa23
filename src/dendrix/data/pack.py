"""Data that lie in one `.npz`: where the folder is, and what is wrong with the file."""

import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError


def data_root(root: str | Path | None, title: str, advice: str) -> Path:
    """The folder or file that was given, or the folder that the environment variable DENDRIX_DATA names.

    Args:
        root: what the user gave.
        title: of the data set, for the message.
        advice: where to get it from, for the message.
    Raises:
        FileNotFoundError: nothing was given, or it does not exist.
    """
    root = root or os.environ.get("DENDRIX_DATA")
    if not root:
        raise FileNotFoundError(f"{title}: no data folder was given. {advice} and pass its folder, or set DENDRIX_DATA to it.")
    base = Path(root).expanduser()
    if not base.exists():
        raise FileNotFoundError(f"{title}: expected a data folder, but {base} does not exist. Check the path or DENDRIX_DATA.")
    return base


def read_pack(path: Path, title: str, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The arrays `keys` of an `.npz`.

    Args:
        path: the file.
        title: of the data set, for the message.
        keys: the arrays that it must hold.
    Raises:
        OSError: the file may not be read.
        ValueError: it is of another kind, cut short or damaged, or lacks an array.
    """
    with path.open("rb") as file:  # `is_zipfile` of a path would take a lack of permission for another kind of file
        packed = zipfile.is_zipfile(file)
    if not packed:
        raise InputError(f"{path}: expected the {title} pack or a data folder, got another kind of file or a part of one. Check the path.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as pack:
            return {key: pack[key] for key in keys}
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: expected the {title} pack, but it cannot be read ({error}). Copy it again.") from error
