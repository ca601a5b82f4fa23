"""Pickles of plain data, read without ever running what a pickle may ask to run."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError

_ARRAYS = {"_reconstruct", "ndarray", "dtype"}
"""What numpy needs to bring back an array of numbers; all else is refused."""
_MODULES = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray"}


class _PlainUnpickler(pickle.Unpickler):
    """Knows containers, numbers, text and numpy arrays of numbers, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _ARRAYS:
            return {"_reconstruct": _empty, "ndarray": "ndarray", "dtype": _number_type}[name]
        if (module, name) == ("_codecs", "encode"):  # how protocol 2 of Python 3 writes bytes
            return _bytes
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _empty(*_: Any) -> Any:
    return np.ndarray.__new__(np.ndarray, (0,), np.uint8)


def _number_type(code: str, *_: Any) -> Any:
    if np.dtype(code).hasobject:
        raise pickle.UnpicklingError("it holds an array of objects")
    return np.dtype(code)


def _bytes(text: str, _: str) -> bytes:
    return text.encode("latin1")


def read_plain_pickle(path: Path) -> Any:
    """The containers, numbers, bytes and numpy arrays in a pickle; text of Python 2 comes as bytes.

    Raises:
        OSError: the file may not be read.
        ValueError: it is damaged, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="bytes").load()
    except OSError:
        raise
    except Exception as error:  # a damaged pickle fails in any way at all
        raise InputError(f"{path}: expected a pickle of plain data and arrays, but it cannot be read ({error}). Check the path.") from error
