"""Reader of pickles that contain only plain data; it never executes code from the file."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError

_ARRAYS = {"_reconstruct", "ndarray", "dtype"}
"""Names that numpy needs to restore an array of numbers; all others are refused."""
_MODULES = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray"}


class _PlainUnpickler(pickle.Unpickler):
    """Unpickler for containers, numbers, strings and numpy arrays of numbers; it refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _ARRAYS:
            return {"_reconstruct": _empty, "ndarray": "ndarray", "dtype": _number_type}[name]
        if (module, name) == ("_codecs", "encode"):  # encoding of bytes in protocol 2 of Python 3
            return _bytes
        raise pickle.UnpicklingError(f"it requires {module}.{name}")


def _empty(*_: Any) -> Any:
    return np.ndarray.__new__(np.ndarray, (0,), np.uint8)


def _number_type(code: str, *_: Any) -> Any:
    if np.dtype(code).hasobject:
        raise pickle.UnpicklingError("it contains an array of objects")
    return np.dtype(code)


def _bytes(text: str, _: str) -> bytes:
    return text.encode("latin1")


def read_plain_pickle(path: Path) -> Any:
    """Read the containers, numbers, bytes and numpy arrays of a pickle; strings of Python 2 become bytes.

    Args:
        path: file to read.
    Raises:
        OSError: the file cannot be opened.
        InputError: the file is damaged, or contains anything else.
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="bytes").load()
    except OSError:
        raise
    except Exception as error:  # a damaged pickle may raise any exception
        raise InputError(f"{path}: expected a pickle of plain data and arrays, but it cannot be read ({error}). Check the path.") from error
