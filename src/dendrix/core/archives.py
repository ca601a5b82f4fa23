"""Arrays in `.npy` and `.npz` files: sizes that a header claims are checked against the file before memory is taken."""

import io
import math
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import InputError
from .files import seekable
from .limits import expect_within

_DENSEST = 1100
"""Largest ratio of deflate's output to its input, rounded up: whatever claims more is damaged."""


_BLOCK = 1 << 18
"""Bytes that are read at a time."""
_LAST_CHARACTER = 0x10FFFF


def read_npy(path: Path, what: str = "an array in .npy") -> NDArray[Any]:
    """Read an array of numbers, texts or records.

    Args:
        path: file to read; a pipe will do.
        what: what is expected, for the error message.
    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: it is no `.npy`, truncated or damaged, or contains Python objects.
    """
    with seekable(path) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            if zipfile.is_zipfile(file):
                raise InputError("the file is an .npz")
            file.seek(0)
            return _array(file, size, str(path))
        except Exception as error:  # the parser of a damaged header raises errors of any kind
            raise _complaint(error, path, what) from error


def read_npz(path: Path, names: Collection[str] | None, what: str, advice: str = "Copy it again.") -> dict[str, NDArray[Any]]:
    """Read the arrays of an `.npz` that have one of these names; names that it lacks are left out.

    Args:
        path: file to read; a pipe will do.
        names: None reads all.
        what: what is expected, for the error message.
        advice: the last sentence of that message.
    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: it is no `.npz`, truncated or damaged, holds two arrays of one name, or contains Python objects.
    """
    with seekable(path) as file:
        size = file.seek(0, io.SEEK_END)
        try:
            if not zipfile.is_zipfile(file):
                raise InputError("it is another kind of file or truncated")
            with zipfile.ZipFile(file) as pack:
                return _members(pack, size, names, str(path))
        except Exception as error:  # a damaged archive raises errors of any kind, from zlib to struct
            raise _complaint(error, path, what, advice) from error


def _members(pack: zipfile.ZipFile, size: int, names: Collection[str] | None, path: str) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for member in pack.infolist():
        name = member.filename.removesuffix(".npy")
        if names is not None and name not in names:
            continue
        if name in found:
            raise InputError(f"it holds two arrays of the name '{name}'")
        if member.file_size > _DENSEST * min(member.compress_size, size):
            raise InputError(f"'{name}' claims {member.file_size:,} bytes in {member.compress_size:,} compressed ones")
        with pack.open(member) as file:
            found[name] = _array(file, member.file_size, f"{path}: {name}")
    return found


def _array(file: IO[bytes], size: int, name: str) -> NDArray[Any]:
    """Read an array of which `size` bytes, with the header, are left."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise InputError(f"the format has the unknown version {version}")
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, columns_first, dtype = read_header(file)
    if dtype.hasobject:
        raise InputError("it contains Python objects")
    if any(axis < 0 for axis in shape):
        raise InputError(f"it claims the shape {list(shape)}")
    length = math.prod(shape) * dtype.itemsize
    if length > size:
        raise InputError(f"it claims {length:,} bytes of numbers, and has {size:,}")
    expect_within(length, "array_bytes", name)
    content, have = np.empty(length, np.uint8), 0
    memory = content.data
    while have < length and (count := file.readinto(memory[have : have + _BLOCK])):  # type: ignore[attr-defined]
        have += count
    if have < length:
        raise InputError(f"it claims {length:,} bytes of numbers, and has {have:,}")
    found = np.ndarray(shape, dtype, memory, order="F" if columns_first else "C")
    _check_texts(found)
    return found


def _check_texts(array: NDArray[Any]) -> None:
    """Raise InputError for texts with characters that do not exist, at which Python fails later."""
    for name in array.dtype.names or ():
        _check_texts(array[name])
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        letters = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if letters.max() > _LAST_CHARACTER:
            raise InputError(f"it contains a text with the character {letters.max():#x}, which does not exist")


def _complaint(error: Exception, path: Path, what: str, advice: str = "Save it again.") -> Exception:
    if isinstance(error, OSError) and error.errno is not None:
        return error
    if isinstance(error, InputError) and str(error).startswith(str(path)):
        return error
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return InputError(f"{path}: expected {what}, but it cannot be read ({reason}). {advice}")
