"""Files of codes: three arrays in an `.npz` without pickles."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError


def write(path: Path, n: int, starts: NDArray[np.int64], cells: NDArray[np.integer]) -> None:
    """Write codes atomically."""
    from ..core.files import write_atomic  # loads torch

    buffer = io.BytesIO()
    np.savez_compressed(buffer, n=n, starts=starts, cells=cells)
    write_atomic(path, buffer.getvalue())


def read(path: Path) -> tuple[int, NDArray[np.int64], NDArray[np.integer]]:
    """Read the arrays n, starts and cells of a file of codes.

    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: the file is damaged, or was not written by `write`.
    """
    from ..core.archives import read_npz  # loads torch

    found = read_npz(path, ("n", "starts", "cells"), "codes written by SDR.save", "Copy the file again.")
    try:
        return int(found["n"]), found["starts"], found["cells"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected codes written by SDR.save, but they cannot be read ({error}). Copy the file again.") from error
