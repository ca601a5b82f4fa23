"""Files of codes: three arrays in a `.npz`, which any numpy reads. Nothing in them is executed."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError


def write(path: Path, n: int, starts: NDArray[np.int64], cells: NDArray[np.integer]) -> None:
    """Write codes whole or not at all."""
    from ..core.files import write_atomic  # loads torch

    buffer = io.BytesIO()
    np.savez_compressed(buffer, n=n, starts=starts, cells=cells)
    write_atomic(path, buffer.getvalue())


def read(path: Path) -> tuple[int, NDArray[np.int64], NDArray[np.integer]]:
    """The arrays of a file of codes: n, starts, cells.

    Raises:
        OSError: there is no such file or it may not be read.
        ValueError: it is damaged, or no file of codes.
    """
    content = io.BytesIO(path.read_bytes())
    try:
        with np.load(content, allow_pickle=False) as file:
            return int(file["n"]), file["starts"], file["cells"]
    except Exception as error:  # a damaged archive raises errors of many kinds, from zlib to struct
        raise InputError(f"{path}: expected codes that SDR.save wrote, but they cannot be read ({error}). Copy the file again.") from error
