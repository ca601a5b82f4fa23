"""Event files of every form, written by the tests, and the samples of the data pack with their expected contents."""

import hashlib
import json
import os
import struct
import sys
import tempfile
from pathlib import Path

import lz4.frame
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dendrix.core.limits import allow
from dendrix.data import Events, event_frames, events_from_array, read_events
from dendrix.data.events.binning import count_per_step
from support.event_files import aedat4, event_packet, record, sized, some


def structured(events: Events) -> np.ndarray:
    array = np.zeros(len(events.t), [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
    for name in array.dtype.names:
        array[name] = getattr(events, name)
    return array


def claiming(body: bytes, size: int) -> bytes:
    """A file of one LZ4 packet whose header claims this size."""
    content = aedat4([(0, body)])
    start = content.index(b'\x04"M\x18')
    frame = bytearray(lz4.frame.compress(body, store_size=True))
    frame[6:14] = struct.pack("<Q", size)
    frame[14] = xxhash(bytes(frame[4:14]))
    return content[: start - 4] + struct.pack("<i", len(frame)) + bytes(frame)


def xxhash(content: bytes) -> int:
    """The check byte of the header of an LZ4 frame: the second byte of xxHash32 of a short content with seed 0."""
    primes = (2654435761, 2246822519, 3266489917, 668265263, 374761393)
    state, place = primes[4] + len(content), 0
    while place + 4 <= len(content):
        state = (state + struct.unpack_from("<I", content, place)[0] * primes[2]) & 0xFFFFFFFF
        state = ((state << 17 | state >> 15) * primes[3]) & 0xFFFFFFFF
        place += 4
    for byte in content[place:]:
        state = (state + byte * primes[4]) & 0xFFFFFFFF
        state = ((state << 11 | state >> 21) * primes[0]) & 0xFFFFFFFF
    for shift, prime in ((15, primes[1]), (13, primes[2])):
        state = ((state ^ state >> shift) * prime) & 0xFFFFFFFF
    return (state ^ state >> 16) >> 8 & 0xFF


def npy(header: str) -> bytes:
    """An array of 8 bytes whose header is this text."""
    line = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line + bytes(8)


def same(a: Events, b: Events) -> bool:
    return all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in zip(a, b, strict=True))


FIELD_TYPES = {"t": "<i8", "x": "<i8", "y": "<i8", "p": "<i8"}


def one(**values: float) -> np.ndarray:
    """Two events, one of which has these values, in the type of each value."""
    kinds = {**FIELD_TYPES, **{name: np.asarray(value).dtype.str for name, value in values.items()}}
    array = np.zeros(2, list(kinds.items()))
    for name, value in values.items():
        array[name][1] = value
    return array


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"x": 65_537}, "x: expected numbers from 0 to 32767, got 0 to 65537"),
        ({"x": 70_000}, "got 0 to 70000"),
        ({"x": np.uint16(40_000)}, "got 0 to 40000"),
        ({"y": -1}, "y: expected numbers from 0 to 32767, got -1 to 0"),
        ({"p": 256}, "p: expected numbers from -1 to 1, got 0 to 256"),
        ({"p": np.uint8(2)}, "got 0 to 2"),
        ({"p": 0.5}, r"p: expected whole numbers, got 0\.5"),
        ({"x": 1.5}, r"x: expected whole numbers, got 1\.5"),
        ({"y": np.nan}, "y: expected whole numbers, got nan"),
        ({"x": 1 + 2j}, "x: expected numbers"),
        ({"x": "a"}, "x: expected numbers"),
        ({"t": 0.25}, r"t: expected whole microseconds, got float64, which may be seconds.*time_unit='s', 'ms' or 'us'"),
        ({"t": np.float32(3)}, "got float32, which may be seconds"),
        ({"t": np.uint64(2**63 + 1)}, "t: expected numbers from"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, values: dict[str, float], says: str) -> None:
    np.save(tmp_path / "a.npy", one(**values))
    for read in (lambda: events_from_array(one(**values)), lambda: read_events(tmp_path / "a.npy")):
        with pytest.raises(ValueError, match=says):
            read()


def test_off_is_minus_one_too_and_whole_floats_fit() -> None:
    events = events_from_array(one(p=-1, x=3.0, y=np.float32(7)))
    assert [part.tolist() for part in events[1:]] == [[0, 3], [0, 7], [0, 0]]
    assert events_from_array(one(p=np.int8(1))).p.tolist() == [0, 1]
    assert events_from_array(one(p=True)).p.tolist() == [0, 1]


def test_times_of_other_units_are_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", one(t=0.25))
    assert read_events(tmp_path / "a.npy", time_unit="s").t.tolist() == [0, 250_000]
    assert events_from_array(one(t=0.25), time_unit="ms").t.tolist() == [0, 250]
    assert events_from_array(one(t=3), time_unit="ms").t.tolist() == [0, 3000]
    for value in (np.inf, 1e30):
        with pytest.raises(ValueError, match="t: expected"):
            events_from_array(one(t=value), time_unit="s")
    with pytest.raises(ValueError, match="time_unit: expected us, ms or s, got 'h'"):
        events_from_array(one(t=1.0), time_unit="h")  # type: ignore[arg-type]
    (tmp_path / "a.bin").write_bytes(record(some()))
    with pytest.raises(ValueError, match=r"time_unit: expected it with an \.npy alone"):
        read_events(tmp_path / "a.bin", time_unit="s")


def test_frames_of_events_made_by_hand_are_checked_too() -> None:
    events = some()
    with pytest.raises(ValueError, match="t: expected whole microseconds, got float64"):
        event_frames(events._replace(t=events.t / 1e6), 34, 34)
    with pytest.raises(ValueError, match="x: expected whole numbers"):
        event_frames(events._replace(x=events.x + 0.5), 34, 34)


def test_an_overflow_mark_advances_the_time() -> None:
    marks = Events(
        np.array([100, 0, 50, 0, 0, 7]), np.array([1, 0, 2, 0, 0, 3], np.int16), np.array([5, 240, 6, 240, 240, 7]), np.zeros(6, int)
    )
    with tempfile.TemporaryDirectory() as folder:
        for suffix, t, y in (
            (".bin", [100, 8242, 3 * 8192 + 7], [5, 6, 7]),
            (".bs2", [100, 0, 50, 0, 0, 7], [5, 240, 6, 240, 240, 7]),  # a format of its own, with rows up to 255
        ):
            path = Path(folder, f"a{suffix}")
            path.write_bytes(record(marks))
            events = read_events(path)
            assert (events.t.tolist(), events.y.tolist()) == (t, y)


def test_sizes_of_narrow_integer_types() -> None:
    events = Events(np.array([0]), np.array([259], np.int16), np.array([259], np.int16), np.array([1], np.uint8))
    width, height = events.x.max() + 1, events.y.max() + 1
    frames = event_frames(events, width, height, pool=np.uint8(1))
    assert frames.shape == (1, 135_200)
    assert frames.nonzero().tolist() == [[0, 135_199]]
    assert count_per_step(np.array([1.0]), np.array([0], np.uint8), np.uint8(200), 0.001, 2.0).shape == (2000, 200)


def test_a_time_far_away_is_refused_before_memory_is_taken() -> None:
    events = some()._replace(t=np.array([*range(49), 10**15]))
    with pytest.raises(
        ValueError, match=r"clip 3, 100,000,000,000 steps of 2,312 channels: expected at most 134,217,728 frame values"
    ) as error:
        event_frames(events, 34, 34, name="clip 3")
    assert "--allow frame_values=231200000000000" in str(error.value)
    assert len(event_frames(events, 34, 34, duration_ms=100.0)) == 10  # a stated length drops what is behind it
    with pytest.raises(ValueError, match="frame values"):
        event_frames(some(), 34, 34, dt_ms=1e-9)
    with allow(frame_values=1e10), pytest.raises(ValueError, match="at most 10,000,000,000 frame values"):
        event_frames(events, 34, 34)


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
        ("a.dat", b"% Data file", r"with suffix \.bin, .*, got '\.dat'"),
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
        ("a.aedat4", aedat4([(0, event_packet(some()))])[:-40], "packet of"),
        ("a.aedat4", claiming(event_packet(some()), 1 << 40), "LZ4 of a plausible size, got .* that claim 1,099,511,627,776"),
        (
            "a.npy",
            npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000,), }"),
            "it claims 8,000,000,000,000 bytes of numbers",
        ),
        ("a.npy", npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1, ("), "cannot be read"),
        ("a.npy", npy("{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }"), "cannot be read"),
        ("a.npy", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"), "it contains Python objects"),
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
