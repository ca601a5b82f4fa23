"""Data folder and `.npz` packs: path resolution and checked reading."""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


def read_pack(path: Path, title: str, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read arrays of an `.npz` file.

    Args:
        path: file to read.
        title: name of the data set, for the error message.
        keys: names of the arrays.
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
    return {key: found[key] for key in keys}
