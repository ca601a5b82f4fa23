"""Files of teaching: arrays in safetensors, facts as JSON in its header, written as one and checked on reading."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..core.files import read_bytes, unique, write_atomic
from ..errors import InputError
from ..sdr import SDR

Arrays = dict[str, NDArray[Any]]
_FACTS = "facts"


def write(path: Path, kind: str, version: int, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Write a file atomically.

    Args:
        path: file to write.
        kind, version: what the file is, checked by `read`.
        arrays: arrays by name.
        facts: values of JSON.
    Raises:
        OSError: it cannot be written; an existing file is unchanged.
    """
    text = json.dumps({"kind": kind, "version": version, **facts}, allow_nan=False)
    write_atomic(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {_FACTS: text}))


def read(path: Path, kind: str, version: int) -> tuple[Arrays, dict[str, Any]]:
    """Read arrays and facts of a file that `write` wrote.

    Raises:
        OSError: it does not exist or cannot be opened.
        InputError: it is damaged, or of another kind or version.
    """
    content = read_bytes(path)
    try:
        arrays, facts = load(content), json.loads(_header(content), object_pairs_hook=unique)
    except (SafetensorError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{path}: expected a {kind} of dendrix, but it is another file or damaged. Copy it again.") from error
    if not isinstance(facts, dict) or facts.get("kind") != kind:
        raise InputError(f"{path}: expected a {kind} of dendrix, got another kind of file. Check the path.")
    if facts.get("version") != version:
        raise InputError(
            f"{path}: expected a {kind} of version {version}, got {facts.get('version')!r}. Read it with the dendrix that wrote it."
        )
    return arrays, facts


def _header(content: bytes) -> str:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return str(header["__metadata__"][_FACTS])


def packed(codes: SDR) -> NDArray[np.uint8]:
    """Return codes as bytes, uint8 [N, ceil(n / 8)]; bit i is bit i % 8 of byte i // 8."""
    return np.packbits(codes.dense(), axis=1, bitorder="little")


def unpacked(n: int, content: NDArray[np.uint8]) -> SDR:
    """Return the codes that `packed` gave.

    Raises:
        InputError: the array does not hold codes of n bits.
    """
    if content.dtype != np.uint8 or content.ndim != 2 or content.shape[1] != -(-n // 8):
        raise InputError(f"codes: expected uint8 [N, {-(-n // 8)}] for n = {n}, got {content.dtype} {list(content.shape)}.")
    bits = np.unpackbits(content, axis=1, bitorder="little")
    if bits[:, n:].any():
        raise InputError(f"codes: expected no bit beyond n = {n}, got some.")
    return SDR.from_dense(bits[:, :n].astype(bool))
