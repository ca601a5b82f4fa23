"""Events of a camera, generated, in the formats of files."""

import struct

import lz4.frame
import numpy as np

from dendrix.data import Events


def some(count: int = 50, size: int = 34, seed: int = 0) -> Events:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, size, (2, count)).astype(np.int16)
    return Events(np.sort(rng.integers(0, 300_000, count)), x, y, rng.integers(0, 2, count).astype(np.uint8))


def record(events: Events, wide: bool = False) -> bytes:
    """The 40-bit form: x and y, or a wide x, then polarity and time."""
    places = [struct.pack(">H", x) if wide else bytes([x, y]) for x, y in zip(events.x, events.y, strict=True)]
    times = [struct.pack(">I", p << 23 | t)[1:] for t, p in zip(events.t.tolist(), events.p.tolist(), strict=True)]
    return b"".join(place + time for place, time in zip(places, times, strict=True))


def aedat2(
    events: Events, camera: str | None = "eu.seebetter.ini.chips.davis.DAVIS240C", address: str = "davis", end: bool = True
) -> bytes:
    """AEDAT 2.0: lines, and big-endian pairs of an address and a time; of an address of DVS128, 0 p, 1-7 x, 8-14 y, of DAVIS 11, 12, 22."""
    lines = ["#!AER-DAT2.0", "# This is a raw AE data file - do not edit"] + ([f"# AEChip: {camera}"] if camera else [])
    head = "".join(f"{line}\r\n" for line in [*lines, *(["# End of ASCII Header"] if end else [])]).encode()
    rows = zip(*(part.tolist() for part in events), strict=True)
    if address == "davis":
        return head + b"".join(struct.pack(">Ii", y << 22 | x << 12 | p << 11, t) for t, x, y, p in rows)
    return head + b"".join(struct.pack(">Ii", y << 8 | x << 1 | p, t) for t, x, y, p in rows)


AEDAT3_HEAD = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#Start-Time: 2016-02-19 13:17:27 (TZ+0100)\r\n#!END-HEADER\r\n"


def aedat3_packet(events: Events, kind: int = 1, source: int = 1, invalid: int = 0) -> bytes:
    """A packet of AEDAT 3.1; times beyond 31 bits go into the header. The first `invalid` events are marked as such."""
    times = events.t.tolist()
    overflow = times[0] >> 31 if times else 0
    body = b"".join(
        struct.pack("<Ii", x << 17 | y << 2 | p << 1 | (i >= invalid), t - (overflow << 31))
        for i, (t, x, y, p) in enumerate(zip(*(part.tolist() for part in events), strict=True))
    )
    return struct.pack("<hhiiiiii", kind, source, 8, 4, overflow, len(times), len(times), len(times) - invalid) + body


def sized(body: bytes) -> bytes:
    return struct.pack("<I", len(body)) + body


def event_packet(events: Events) -> bytes:
    """The FlatBuffer of a packet: root, identifier, layout with one field, table, vector of 16-byte structures."""
    rows = b"".join(struct.pack("<qhhBxxx", *row) for row in zip(*(part.tolist() for part in events), strict=True))
    return sized(struct.pack("<I4sxxHHHiII", 16, b"EVTS", 6, 8, 4, 6, 4, len(events.t)) + rows)


def aedat4(packets: list[tuple[int, bytes]], compression: int = 1, table: bool = True) -> bytes:
    """A file of (stream, body) packets, of which 1 and 2 are LZ4."""
    bodies = b""
    for stream, body in packets:
        coded = lz4.frame.compress(body) if compression else body
        bodies += struct.pack("<ii", stream, len(coded)) + coded
    layout = struct.pack("<HHHHH", 10, 20, 4, 8, 16)
    start = 14 + 4 + 44
    place = start + len(bodies) if table else -1
    header = struct.pack("<I4s", 20, b"IOHE") + layout + b"\0\0" + struct.pack("<iiqI", 12, compression, place, 4) + b"\0\0\0\0"
    assert len(header) == 44
    return b"#!AER-DAT4.0\r\n" + sized(header) + bodies + (b"a table" if table else b"")
