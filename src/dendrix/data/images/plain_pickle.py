"""Reader of pickles that contain only plain data; it never executes code from the file."""

import io
import pickle
import pickletools
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.files import read_bytes
from ...errors import InputError

_MODULES = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric"}
_KINDS = "biufcSU"
"""Kinds of numbers and texts of arrays, in numpy's letters."""


class _Type:
    """Type of the numbers of an array. Unlike numpy's own, it takes no more from the file than the order of bytes."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.found = np.dtype(code if isinstance(code, str) else bytes(code).decode("ascii"))
        if self.found.kind not in _KINDS:
            raise pickle.UnpicklingError(f"it contains an array of {self.found}")

    def __setstate__(self, state: Any) -> None:
        order: Any = state[1] if isinstance(state[1], str) else bytes(state[1]).decode("ascii")
        if any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("it contains an array of records")
        if order in "<>=":
            self.found = self.found.newbyteorder(order)


class _Array(np.ndarray[Any, Any]):
    """Array that is filled after it was made, as numpy pickles one; its content must have the size that its shape claims."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, columns_first, content = state
        filled: Any = (1, shape, _type_of(kind), bool(columns_first), _as_bytes(content))
        super().__setstate__(filled)


def _type_of(kind: Any) -> np.dtype[Any]:
    if not isinstance(kind, _Type):
        raise pickle.UnpicklingError("it contains an array without a type")
    return kind.found


def _as_bytes(content: Any) -> bytes:
    """The content of an array. Protocol 0 and Python 2 give it as a text of one character for each byte."""
    if isinstance(content, bytes):
        return content
    return content.encode("latin1") if isinstance(content, str) else bytes(memoryview(content))


def _empty(*_: Any) -> Any:
    return np.ndarray.__new__(_Array, (0,), np.uint8)


def _of_buffer(content: Any, kind: Any, shape: Any, order: Any) -> NDArray[Any]:
    """An array as protocol 5 has it."""
    return np.frombuffer(bytearray(_as_bytes(content)), _type_of(kind)).reshape(shape, order=order)


def _scalar(kind: Any, content: Any) -> Any:
    return np.frombuffer(_as_bytes(content), _type_of(kind), 1)[0]


def _encoded(text: str, _: str) -> bytes:
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


_NAMES = {"_reconstruct": _empty, "ndarray": "ndarray", "dtype": _Type, "_frombuffer": _of_buffer, "scalar": _scalar}
"""Names of numpy that restore arrays and numbers; all others are refused."""


class _PlainUnpickler(pickle.Unpickler):
    """Unpickler for containers, numbers, strings and numpy arrays of numbers; it refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _NAMES:
            return _NAMES[name]
        if (module, name) == ("_codecs", "encode"):  # encoding of bytes in protocol 2 of Python 3
            return _encoded
        if name == "bytes" and module in ("builtins", "__builtin__"):  # of an empty array in protocol 2
            return _no_bytes
        raise pickle.UnpicklingError(f"it requires {module}.{name}")


def read_plain_pickle(path: Path) -> Any:
    """Read the containers, numbers, bytes and numpy arrays of a pickle; strings of Python 2 become bytes.

    Args:
        path: file to read.
    Raises:
        OSError: the file cannot be opened.
        InputError: the file is damaged, or contains anything else.
    """
    content = read_bytes(path)
    try:
        _check_sizes(content)
        return _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle may raise any exception
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: expected a pickle of plain data and arrays, but it cannot be read ({reason}). Check the path."
        ) from error


def _check_sizes(content: bytes) -> None:
    """Go through the instructions once: each must be whole, and a place in the memo, for which memory is taken, within their number."""
    place = 0
    short = len(content) > 1 << 16  # then the places that the pattern lets pass lie within the number of instructions
    while place < len(content):
        if short:
            place = _SHORT.match(content, place).end()  # type: ignore[union-attr]
            if place == len(content):
                break
        name, size, lines = _INSTRUCTIONS[content[place : place + 1]]
        place += 1
        if lines:
            end = place
            for _ in range(lines):
                end = content.index(b"\n", end) + 1
            argument = int(content[place : end - 1]) if name == "PUT" else 0
        elif size >= 0:
            argument = int.from_bytes(content[place : place + size], "little") if name in ("BINPUT", "LONG_BINPUT") else 0
            end = place + size
        else:  # the length of the argument comes first
            argument, count = 0, _LENGTHS[size]
            end = place + count + int.from_bytes(content[place : place + count], "little")
        if end > len(content):
            raise pickle.UnpicklingError(f"it claims {end - place:,} bytes for {name}, and has {len(content) - place:,}")
        if argument > len(content):
            raise pickle.UnpicklingError(f"it claims a memo of {argument:,} objects in {len(content):,} bytes")
        if name == "STOP":
            return
        place = end
    raise pickle.UnpicklingError("it has no end")


_LENGTHS = {pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT4: 4, pickletools.TAKEN_FROM_ARGUMENT4U: 4}
_LENGTHS[pickletools.TAKEN_FROM_ARGUMENT8U] = 8
"""Bytes that hold the length of an argument."""
_INSTRUCTIONS = {
    code.code.encode("latin1"): (
        code.name,
        0 if code.arg is None else code.arg.n,
        0 if code.arg is None or code.arg.n != pickletools.UP_TO_NEWLINE else 2 if code.arg.name.endswith("_pair") else 1,
    )
    for code in pickletools.opcodes
}
"""Name, size of the argument (negative where it is counted), and number of lines of the argument, of each instruction."""


def _short_instructions() -> re.Pattern[bytes]:
    """Runs of instructions whose arguments have a fixed size, and of places below 65,536: most of a long list, passed at once."""
    kinds = dict.fromkeys((0, 1, 2, 4, 8), b"")
    for code, (name, size, lines) in _INSTRUCTIONS.items():
        if not lines and size in kinds and name not in ("STOP", "LONG_BINPUT"):
            kinds[size] += re.escape(code)
    forms = [b"[" + codes + b"]" + b"." * size for size, codes in kinds.items() if codes]
    return re.compile(b"(?:" + b"|".join([*forms, rb"r..\0\0"]) + b")*+", re.DOTALL)


_SHORT = _short_instructions()
