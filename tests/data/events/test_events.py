"""Event files of every form, written by the tests, and the samples of the data pack with their expected contents."""

import hashlib
import json
import os
import struct
import sys
from pathlib import Path

import lz4.frame
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dendrix.data import Events, event_frames, events_from_array, read_events
from dendrix.data.events.binning import count_per_step
from support.event_files import record, some


def structured(events: Events) -> np.ndarray:
    array = np.zeros(len(events.t), [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
    for name in array.dtype.names:
        array[name] = getattr(events, name)
    return array


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


def same(a: Events, b: Events) -> bool:
    return all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize("name", ["a.bin", "a.bs2", "a.BIN"])
def test_records_of_five_bytes(tmp_path: Path, name: str) -> None:
    events = some()
    (tmp_path / name).write_bytes(record(events))
    assert same(read_events(tmp_path / name), events)


def test_records_of_a_line_of_sensors(tmp_path: Path) -> None:
    events = some(size=9_000)._replace(y=np.zeros(50, np.int16))
    (tmp_path / "a.bs1").write_bytes(record(events, wide=True))
    assert same(read_events(tmp_path / "a.bs1"), events)


@pytest.mark.parametrize("compression", [0, 1, 2])
@pytest.mark.parametrize("table", [True, False])
def test_aedat4_with_and_without_compression_and_table(tmp_path: Path, compression: int, table: bool) -> None:
    first, second = some(20), some(30, seed=1)
    second = second._replace(t=second.t + 1_600_000_000_000_000)
    packets = [(0, event_packet(first)), (2, sized(struct.pack("<I4s", 8, b"IMUS"))), (0, event_packet(second))]
    (tmp_path / "a.aedat4").write_bytes(aedat4(packets, compression, table))
    assert same(read_events(tmp_path / "a.aedat4"), Events(*map(np.concatenate, zip(first, second, strict=True))))


def test_structured_arrays_as_tonic_has_them(tmp_path: Path) -> None:
    events = some()
    assert same(events_from_array(structured(events)), events)
    np.save(tmp_path / "a.npy", structured(events))
    assert same(read_events(tmp_path / "a.npy"), events)
    line = events_from_array(structured(events)[["t", "x", "p"]])
    assert not line.y.any()
    for wrong in (np.zeros((3, 4)), structured(events)[["t", "x"]], structured(events).reshape(5, 10)):
        with pytest.raises(ValueError, match="expected a structured array"):
            events_from_array(wrong)


def test_frames_by_hand() -> None:
    t, x, y, p = np.array([[500, 0, 1, 1], [10_499, 3, 0, 0], [10_500, 3, 1, 1], [25_500, 2, 1, 1]]).T
    events = Events(t, x.astype(np.int16), y.astype(np.int16), p.astype(np.uint8))
    frames = event_frames(events, 4, 2)
    assert frames.shape == (3, 16)
    assert frames.nonzero().tolist() == [[0, 3], [0, 12], [1, 15], [2, 14]]
    assert event_frames(events, 4, 2, pool=2).tolist() == [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1]]
    assert event_frames(events, 4, 2, pool=2, duration_ms=40.0).sum(1).tolist() == [2, 1, 1, 0]
    assert event_frames(events, 4, 2, pool=2, duration_ms=11.0).sum(1).tolist() == [2, 1]
    backwards = Events(*(part[::-1] for part in events))
    assert torch.equal(event_frames(backwards, 4, 2), frames)


@given(
    pairs=st.lists(st.tuples(st.floats(0, 500), st.integers(0, 6)), max_size=40),
    dt=st.floats(0.5, 50),
    duration=st.one_of(st.none(), st.floats(1, 600)),
)
def test_counting_equals_a_plain_loop(pairs: list[tuple[float, int]], dt: float, duration: float | None) -> None:
    time, channel = np.array([t for t, _ in pairs], float), np.array([c for _, c in pairs], int)
    counts = count_per_step(time, channel, 7, dt, duration)
    expected = torch.zeros_like(counts)
    for t, c in pairs:
        step = int(t // dt)
        if duration is None:
            step = min(step, len(counts) - 1)
        if step < len(counts):
            expected[step, c] += 1
    assert torch.equal(counts, expected)
    assert len(counts) == max(int(np.ceil((max(time, default=0) if duration is None else duration) / dt)), 1)


def test_events_outside_of_the_sensor_are_refused() -> None:
    events = some()
    for size, part in (((20, 34), "x from 0 to 19"), ((34, 20), "y from 0 to 19")):
        with pytest.raises(ValueError, match=f"clip 3: expected {part}, got [01] to 33"):
            event_frames(events, *size, name="clip 3")
    with pytest.raises(ValueError, match="expected p from 0 to 1, got"):
        event_frames(events._replace(p=events.p + 1), 34, 34)
    with pytest.raises(ValueError, match="divisor of 34 and 34 pixels, got 3"):
        event_frames(events, 34, 34, pool=3)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.bin", b"", "expected events, got none"),
        ("a.bin", b"123456", "records of 5 bytes, got 6 bytes: the file is truncated"),
        ("a.bs1", b"1234", "records of 5 bytes"),
        ("a.aedat", b"#!AER-DAT2.0", r"with suffix \.bin, .*, got '\.aedat'"),
        ("a", b"", "got ''"),
        ("a.npy", b"", "expected a structured array in .npy, but it cannot be read"),
        ("a.npy", b"\x93NUMPY\x01", "cannot be read"),
        ("a.npy", b"PK\x05\x06" + bytes(18), "the file is an .npz"),
        ("a.aedat4", b"#!AER-DAT3.1\r\n", "expected an AEDAT 4 file, got one that starts with"),
        ("a.aedat4", b"#!AER-DAT4.0\r\n\x01", "cannot be read"),
        ("a.aedat4", aedat4([]), "expected events, got none"),
        ("a.aedat4", aedat4([(0, event_packet(some()))], 3), "expected no compression or LZ4, got Zstandard"),
        ("a.aedat4", aedat4([(0, event_packet(some())), (1, event_packet(some()))]), "one camera, got those of 2"),
        ("a.aedat4", aedat4([(0, event_packet(some())[:-20])], 0), "cannot be read"),
        ("a.aedat4", aedat4([(0, event_packet(some()))])[:-100], r"expected a packet of \d+ bytes, got fewer: the file is truncated"),
        ("a.aedat4", aedat4([(0, event_packet(some()))]).replace(b'\x04"M\x18', b"abcd"), "cannot be read"),
    ],
)
def test_what_is_no_event_file_is_refused(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=complaint) as error:
        read_events(tmp_path / name)
    assert "\n" not in str(error.value)
    assert str(tmp_path / name) in str(error.value)


def test_missing_and_locked_files_and_a_missing_extra_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.aedat4"
    with pytest.raises(FileNotFoundError, match=r"a\.aedat4"):
        read_events(path)
    path.write_bytes(aedat4([(0, event_packet(some()))]))
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(ImportError, match=r"pip install dendrix\[data\]"):
        read_events(path)
    path.chmod(0)
    if not os.access(path, os.R_OK):
        with pytest.raises(PermissionError, match=r"a\.aedat4"):
            read_events(path)


@pytest.mark.shared
def test_real_files(shared: Path) -> None:
    folder = shared / "data" / "events" / "formats"
    known = json.loads((folder / "expected.json").read_text())

    def digest(values: np.ndarray) -> str:
        return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()

    for name in ("sample_nmnist.bin", "nmnist_1.bs2", "nmnist_2.bs2", "nmnist_60001.bs2"):
        t, x, y, p = read_events(folder / name)
        assert (len(t), int(p.sum()), x.max(), y.max()) == tuple(known[name][key] for key in ("events", "on", "x_max", "y_max"))
        assert [[part[i] for part in (x, y, p, t)] for i in (0, -1)] == [known[name]["first_xypt"], known[name]["last_xypt"]]
        assert digest(t) == known[name]["sha256_t_int64"]
    for name in ("oxford_input.bs1", "oxford_output.bs1"):
        t, x, y, p = read_events(folder / name)
        assert [len(t), x.max(), p.max(), t.min(), t.max()] == [known[name][key] for key in ("events", "x_max", "p_max", "t_min", "t_max")]
        assert [x[0], p[0], t[0]] == known[name]["first_xpt"]
    expected, events = known["sample.aedat4"], read_events(folder / "sample.aedat4")
    assert [[part[i] for part in events] for i in (0, -1)] == [expected["first"], expected["last"]]
    assert (len(events.t), int(events.p.sum())) == (expected["events"], expected["on"])
    assert [digest(events.t), digest(events.x), digest(events.y)] == [
        expected[f"sha256_{key}"] for key in ("t_int64", "x_int16", "y_int16")
    ]
    frames = event_frames(events, expected["width"], expected["height"], pool=80)
    assert frames.shape == (-(-int(np.ptp(events.t)) // 10_000), 24)
    assert frames.sum() == expected["events"]
