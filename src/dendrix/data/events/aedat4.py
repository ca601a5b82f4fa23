"""Reader of AEDAT 4 files, the format of iniVation's DV. The only module that imports lz4.

A file consists of the line `#!AER-DAT4.0`, a header with the compression and the position of the table at the end of the file, and packets
of a stream number, a size and a body. Header and bodies are FlatBuffers; only two of their tables are needed, so they are parsed here
without the flatbuffers package.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.files import read_bytes
from ...core.limits import expect_within
from ...errors import InputError, MissingExtraError

_MAGIC = b"#!AER-DAT4.0\r\n"
_EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1"), ("unused", "V3")])
_NONE, _LZ4, _LZ4_HIGH = 0, 1, 2
_DENSEST = 256
"""Largest ratio of LZ4's output to its input, rounded up."""
_BLOCK = 1 << 20
"""Bytes that are decompressed at a time."""


def read_aedat4(path: Path) -> NDArray[Any]:
    """Read the events of a file; frames and motion sensor data are skipped.

    Args:
        path: file to read.
    Returns:
        a structured array [N] with fields t (in microseconds), x, y, p.
    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: the file has another format, is truncated or damaged, is compressed with Zstandard, or holds several cameras.
        MissingExtraError: the file is compressed and lz4 is not installed.
    """
    content = read_bytes(path)
    if not content.startswith(_MAGIC):
        raise InputError(f"{path}: expected an AEDAT 4 file, got one that starts with {content[:14]!r}. Convert it with DV.")
    try:
        parts, count = dict[int, list[NDArray[Any]]](), 0
        for stream, body in _packets(content, path):
            if body[8:12] == b"EVTS":
                parts.setdefault(stream, []).append(_events(body))
                count += len(parts[stream][-1])
                expect_within(count, "events", str(path))
    except (struct.error, RuntimeError, ValueError, OverflowError, MemoryError) as error:
        if str(error).startswith(str(path)):
            raise
        raise InputError(f"{path}: expected whole AEDAT 4 packets, but one cannot be read ({error}). Copy it again.") from error
    if len(parts) > 1:
        raise InputError(f"{path}: expected the events of one camera, got those of {len(parts)} cameras. Export one of them with DV.")
    return np.concatenate([np.zeros(0, _EVENT), *(part for some in parts.values() for part in some)])


def _packets(content: bytes, path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the stream number and the decompressed body of each packet."""
    start = len(_MAGIC)
    place = start + 4 + struct.unpack_from("<I", content, start)[0]
    header = content[start:place]
    compression, table = _number(header, 0, "<i", _NONE), _number(header, 1, "<q", -1)
    if compression not in (_NONE, _LZ4, _LZ4_HIGH):
        raise InputError(f"{path}: expected no compression or LZ4, got Zstandard. Save it again with LZ4.")
    end = len(content) if table < 0 else table  # an interrupted recording has no table
    while place < end:
        stream, size = struct.unpack_from("<ii", content, place)
        place += 8 + size
        if size < 0 or place > min(end, len(content)):
            raise InputError(f"{path}: expected a packet of {size} bytes, got fewer: the file is truncated. Copy it again.")
        body = content[place - size : place]
        yield stream, body if compression == _NONE else _decompress(body, path)


def _decompress(body: bytes, path: Path) -> bytes:
    """Decompress a body in blocks, whatever size it claims, up to the largest that LZ4 can give and the limit of events."""
    try:
        import lz4.frame
    except Exception as missing:
        raise MissingExtraError.of("Reading compressed AEDAT 4 needs", "lz4", "data", missing) from missing
    unpack, parts, size = lz4.frame.LZ4FrameDecompressor(), [], 0
    if (claimed := lz4.frame.get_frame_info(body)["content_size"]) > _DENSEST * len(body):
        raise InputError(f"{path}: expected LZ4 of a plausible size, got {len(body):,} bytes that claim {claimed:,}. Copy it again.")
    for start in range(0, len(body), _BLOCK):
        parts.append(unpack.decompress(body[start : start + _BLOCK]))
        size += len(parts[-1])
        expect_within(size / _EVENT.itemsize, "events", str(path))
        if unpack.eof:
            return b"".join(parts)
    raise InputError(f"{path}: expected whole LZ4, got a part of it: the file is damaged. Copy it again.")


def _events(body: bytes) -> NDArray[Any]:
    """Return the vector in field 0 of the root table."""
    place = _field(body, 0)
    if place is None:
        return np.zeros(0, _EVENT)
    vector = place + struct.unpack_from("<I", body, place)[0]
    return np.frombuffer(body, _EVENT, struct.unpack_from("<I", body, vector)[0], vector + 4)


def _number(buffer: bytes, field: int, kind: str, default: int) -> int:
    place = _field(buffer, field)
    return default if place is None else int(struct.unpack_from(kind, buffer, place)[0])


def _field(buffer: bytes, field: int) -> int | None:
    """Return the position of a field of the root table in a size-prefixed FlatBuffer; None if the field has its default value."""
    table = 4 + struct.unpack_from("<I", buffer, 4)[0]
    layout = table - struct.unpack_from("<i", buffer, table)[0]
    if 4 + 2 * field >= struct.unpack_from("<H", buffer, layout)[0]:
        return None
    offset = struct.unpack_from("<H", buffer, layout + 4 + 2 * field)[0]
    return table + offset if offset else None
