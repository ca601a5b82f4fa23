"""Files of Prophesee cameras, written by the published descriptions of EVT 2 and of event HDF5."""

import struct
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from dendrix.data import Events, read_events
from support.event_files import some


def evt2(events: Events) -> bytes:
    """RAW: words of 32 bits, of which 4 are the type: 8 for the high bits of the time, 0 and 1 for events with its low 6 bits, x and y."""
    words, high = [], -1
    for t, x, y, p in zip(*(part.tolist() for part in events), strict=True):
        if t >> 6 != high:
            high = t >> 6
            words.append(0x8 << 28 | high)
        words.append(p << 28 | (t & 63) << 22 | x << 11 | y)
    head = "% evt 2.0\n% format EVT2;height=480;width=640\n% geometry 640x480\n% end\n"
    return head.encode() + struct.pack(f"<{len(words)}I", *words)


def same(a: Events, b: Events) -> bool:
    return all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in zip(a, b, strict=True))


def test_raw(tmp_path: Path) -> None:
    events = some(200, size=480)
    (tmp_path / "a.raw").write_bytes(evt2(events))
    assert same(read_events(tmp_path / "a.raw"), events)


@pytest.mark.parametrize("suffix", ["h5", "hdf5"])
def test_hdf5(tmp_path: Path, suffix: str) -> None:
    events = some(200, size=480)
    with h5py.File(tmp_path / f"a.{suffix}", "w") as file:
        for name, kind in (("x", "<u2"), ("y", "<u2"), ("p", "<i1"), ("t", "<i8")):
            file[f"events/{name}"] = getattr(events, name).astype(kind)
    assert same(read_events(tmp_path / f"a.{suffix}"), events)


@pytest.mark.parametrize("content", [b"", b"no events", evt2(some(0)), b"% format EVT2\n% end\n\xff"])
@pytest.mark.parametrize("suffix", ["raw", "h5"])
def test_what_is_none_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.{suffix}: expected events") as error:
        read_events(path)
    assert "\n" not in str(error.value)


def test_other_formats_and_a_missing_extra_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"expected an event file with suffix .*\.raw.*, got '\.dat'"):
        read_events(tmp_path / "a.dat")
    with pytest.raises(FileNotFoundError):
        read_events(tmp_path / "a.raw")
    (tmp_path / "a.raw").write_bytes(evt2(some()))
    monkeypatch.setitem(sys.modules, "evlib", None)
    with pytest.raises(ImportError, match=r"needs evlib, which is not installed: pip install dendrix\[events\]"):
        read_events(tmp_path / "a.raw")
