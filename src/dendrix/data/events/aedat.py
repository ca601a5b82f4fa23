"""Reader of AEDAT 2.0 and 3.1 files, the formats of jAER and cAER, in which DVS128 Gesture and other data sets are published.

A file starts with lines that begin with # and end with CR LF, the first of which names the version. In 2.0, records of 8 bytes follow:
an address, whose bits depend on the camera, and a time, as big-endian 32-bit integers. In 3.1, packets follow, each of a header of 28 bytes
and events of one type, little-endian. Rows count from the bottom in 2.0 and from the top in 3.1; both are read as they are.
Source: https://docs.inivation.com/software/software-advanced-usage/file-formats
"""

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.files import seekable
from ...core.limits import expect_within
from ...errors import InputError

EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")])
"""An event: time in microseconds, column, row, and polarity."""
_VERSION = b"#!AER-DAT"
_LONGEST_LINE = 1 << 16
_RECORD = np.dtype([("address", ">u4"), ("time", ">i4")])
_BLOCK = 1 << 16
"""Records of AEDAT 2.0 that are decoded at a time."""
_POLARITY = 1
"""Number of the type of camera events in AEDAT 3.1."""
_POLARITY_EVENT = np.dtype([("data", "<u4"), ("time", "<i4")])
_ENDS = {b"2.0": b"end of ascii header", b"3.1": b"#!end-header"}


class _Address(NamedTuple):
    """Bits of an address of AEDAT 2.0."""

    ignored: int
    """Bits that no camera event has."""
    x: tuple[int, int]
    """Lowest bit and mask of the column."""
    y: tuple[int, int]
    p: int
    """Bit of the polarity."""


_CAMERAS = {
    "dvs128": _Address(0xFFFF8000, (1, 0x7F), (8, 0x7F), 0),
    "davis": _Address(0x80000400, (12, 0x3FF), (22, 0x1FF), 11),
}


def read_aedat(path: Path) -> NDArray[Any]:
    """Read the camera events of a file of either version.

    Args:
        path: file to read.
    Returns:
        a structured array [N] of `EVENT`.
    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: the file has another format or version, is truncated or damaged, is of an unknown camera or of several, or has more
            events than the limit.
    """
    parts, count = [np.zeros(0, EVENT)], 0
    for part in stream_aedat(path):
        parts.append(part)
        count += len(part)
        expect_within(count, "events", str(path))
    return np.concatenate(parts)


def stream_aedat(path: Path) -> Iterator[NDArray[Any]]:
    """Yield the events of a file in blocks, in the order of the file, so that long recordings need little memory.

    Args:
        path: file to read.
    Raises:
        OSError, InputError: as in `read_aedat`, without the limit.
    """
    with seekable(path) as file:
        version, lines = _header(file, path)
        left = file.seek(0, io.SEEK_END) - lines.end
        file.seek(lines.end)
        yield from (_records if version == b"2.0" else _packets)(file, left, lines.camera, path)


class _Lines(NamedTuple):
    """What is read off the lines at the start of a file."""

    camera: str
    """Name of the camera of a file of version 2.0, in lower case; empty if it is unknown."""
    end: int
    """Position of the first byte behind them."""


def _header(file: IO[bytes], path: Path) -> tuple[bytes, _Lines]:
    first = file.readline(_LONGEST_LINE)
    version = first.removeprefix(_VERSION).strip()
    if not first.startswith(_VERSION) or version not in _ENDS:
        raise InputError(f"{path}: expected AEDAT of version 2.0 or 3.1, got a file that starts with {first[:14]!r}. Convert it with DV.")
    camera, end = "", file.tell()
    while (line := file.readline(_LONGEST_LINE)).startswith(b"#") and line.endswith(b"\n") and _is_text(line):
        end = file.tell()
        text = line.strip().lower()
        if text.startswith(b"# aechip:"):
            camera = text.rpartition(b".")[2].rpartition(b":")[2].strip().decode("ascii")
        if _ENDS[version] in text:
            return version, _Lines(camera, end)
    if version == b"3.1":
        raise InputError(f"{path}: expected a header that ends with #!END-HEADER, got none: the file is truncated. Copy it again.")
    return version, _Lines(camera, end)


def _is_text(line: bytes) -> bool:
    """Whether a line is of the header: the first address of AEDAT 2.0 may begin with the byte of # as well."""
    return line.rstrip(b"\r\n").replace(b"\t", b" ").isascii() and line.rstrip(b"\r\n").replace(b"\t", b" ").decode("ascii").isprintable()


def _records(file: IO[bytes], left: int, camera: str, path: Path) -> Iterator[NDArray[Any]]:
    """Yield the events of version 2.0."""
    if left % _RECORD.itemsize:
        raise InputError(f"{path}: expected records of 8 bytes, got {left} bytes: the file is truncated. Copy it again.")
    known = next((name for name in _CAMERAS if name in camera), None)
    if camera and known is None and camera != "tmpdiff128":
        raise InputError(f"{path}: expected a recording of DVS128 or of a DAVIS, got one of '{camera}'. Convert it with DV.")
    bits = None if known is None else _CAMERAS[known]
    wraps, last = 0, 0
    while block := file.read(_BLOCK * _RECORD.itemsize):
        records = np.frombuffer(block, _RECORD)
        address, time = records["address"].astype(np.uint32), records["time"].astype(np.int64)
        if bits is None:  # a DAVIS has addresses of more than 16 bits, and DVS128 has none
            bits = _CAMERAS["dvs128" if camera or address.max() <= 0xFFFF else "davis"]
        steps = np.diff(time, prepend=last)
        wrapped = wraps + np.cumsum(steps < -(1 << 31))
        wraps, last = int(wrapped[-1]), int(time[-1])
        events = np.zeros(len(records), EVENT)
        events["t"] = time + (wrapped << 32)
        events["x"] = address >> bits.x[0] & bits.x[1]
        events["y"] = address >> bits.y[0] & bits.y[1]
        events["p"] = address >> bits.p & 1
        yield events[address & bits.ignored == 0]


def _packets(file: IO[bytes], left: int, _: str, path: Path) -> Iterator[NDArray[Any]]:
    """Yield the valid events of each packet of camera events of version 3.1."""
    cameras = set()
    while head := file.read(28):
        left -= len(head)
        if len(head) < 28:
            raise InputError(f"{path}: expected the header of a packet, 28 bytes, got {len(head)}: the file is truncated. Copy it again.")
        kind, source, size, time_at, overflow, _, count, _ = struct.unpack("<hhiiiiii", head)
        if size < 1 or count < 0 or overflow < 0 or size * count > left:
            raise InputError(
                f"{path}: expected a packet of {count} events of {size} bytes, got {left} bytes: the file is damaged or truncated. "
                "Copy it again."
            )
        left -= size * count
        if kind != _POLARITY:
            file.seek(size * count, io.SEEK_CUR)
            continue
        cameras.add(source)
        if (size, time_at) != (_POLARITY_EVENT.itemsize, 4) or len(cameras) > 1:
            found = f"{len(cameras)} cameras" if len(cameras) > 1 else f"{size} bytes with the time at {time_at}"
            raise InputError(f"{path}: expected events of 8 bytes of one camera with the time at 4, got {found}. Export it again with DV.")
        yield _polarity_events(np.frombuffer(file.read(size * count), _POLARITY_EVENT), overflow)


def _polarity_events(packet: NDArray[Any], overflow: int) -> NDArray[Any]:
    """Decode 1 bit for validity, 1 for the polarity, 15 for y and 15 for x; of the time, `overflow` are the bits from 31."""
    data = packet["data"]
    events = np.zeros(len(packet), EVENT)
    events["t"] = packet["time"].astype(np.int64) + (overflow << 31)
    events["x"], events["y"], events["p"] = data >> 17, data >> 2 & 0x7FFF, data >> 1 & 1
    valid: NDArray[Any] = events[data & 1 == 1]
    return valid
