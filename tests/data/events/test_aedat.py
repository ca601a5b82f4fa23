"""AEDAT 2.0 and 3.1, written by the published descriptions of the formats."""

import struct
from pathlib import Path

import numpy as np
import pytest

from dendrix.core.limits import allow
from dendrix.data import Events, read_events
from dendrix.data.events.aedat import stream_aedat
from support.event_files import AEDAT3_HEAD, aedat2, aedat3_packet, some


def same(a: Events, b: Events) -> bool:
    return all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("camera", "address"),
    [
        ("eu.seebetter.ini.chips.davis.DAVIS240C", "davis"),
        ("ch.unizh.ini.jaer.chip.retina.DVS128", "dvs128"),
        ("ch.unizh.ini.caviar.chip.retina.Tmpdiff128", "dvs128"),
        (None, "davis"),
        (None, "dvs128"),
    ],
)
@pytest.mark.parametrize("end", [True, False])
def test_version_2(tmp_path: Path, camera: str | None, address: str, end: bool) -> None:
    events = some(300, size=128)
    (tmp_path / "a.aedat").write_bytes(aedat2(events, camera, address, end))
    assert same(read_events(tmp_path / "a.aedat"), events)


def test_version_2_leaves_out_what_no_pixel_sent_and_follows_the_clock_past_its_end(tmp_path: Path) -> None:
    head = aedat2(some(0), end=False)
    words = [
        (140 << 22 | 5 << 12 | 1 << 11, 2**31 - 5),  # its first byte is that of #
        (1 << 31 | 3 << 12, 7),  # an image or motion sample
        (1 << 10, 8),  # an external event
        (2 << 22 | 1 << 12, -(2**31)),
        (2 << 22 | 1 << 12, 3),
    ]
    assert struct.pack(">I", words[0][0])[:1] == b"#"
    (tmp_path / "a.aedat").write_bytes(head + b"".join(struct.pack(">Ii", *word) for word in words))
    events = read_events(tmp_path / "a.aedat")
    assert [part.tolist() for part in events[1:]] == [[5, 1, 1], [140, 2, 2], [1, 0, 0]]
    assert events.t.tolist()[:1] == [2**31 - 5]


def test_the_clock_of_version_2_wraps_at_32_bits(tmp_path: Path) -> None:
    events = some(3)._replace(t=np.array([2**31 - 5, -(2**31), 3]))
    (tmp_path / "a.aedat").write_bytes(aedat2(events))
    assert read_events(tmp_path / "a.aedat").t.tolist() == [2**31 - 5, 2**31, 2**32 + 3]


def test_version_3_by_packets(tmp_path: Path) -> None:
    first, late = some(40), some(60, size=300, seed=1)
    late = late._replace(t=late.t + (3 << 31))
    other = struct.pack("<hhiiiiii", 3, 1, 36, 4, 0, 2, 2, 2) + bytes(72)  # motion samples
    content = AEDAT3_HEAD + aedat3_packet(first, invalid=4) + other + aedat3_packet(some(0)) + aedat3_packet(late)
    (tmp_path / "a.aedat").write_bytes(content)
    expected = Events(*(np.concatenate([one[4:], two]) for one, two in zip(first, late, strict=True)))
    assert same(read_events(tmp_path / "a.aedat"), expected)
    assert [len(block) for block in stream_aedat(tmp_path / "a.aedat")] == [36, 0, 60]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", r"of version 2\.0 or 3\.1, got a file that starts with b''"),
        (b"\0\1\2\3" * 6, r"of version 2\.0 or 3\.1, got a file that starts with"),
        (b"#!AER-DAT3.0\r\n", r"of version 2\.0 or 3\.1"),
        (aedat2(some())[:-3], "records of 8 bytes, got 397 bytes: the file is truncated"),
        (aedat2(some(), "ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c"), "a recording of DVS128 or of a DAVIS, got one of 'cochleaams1c'"),
        (aedat2(some(0)), "expected events, got none"),
        (AEDAT3_HEAD[:-16], "ends with #!END-HEADER, got none"),
        (AEDAT3_HEAD + aedat3_packet(some())[:-1], "a packet of 50 events of 8 bytes, got 399 bytes"),
        (AEDAT3_HEAD + aedat3_packet(some())[:20], "header of a packet, 28 bytes, got 20"),
        (AEDAT3_HEAD + struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, 1, 2**31 - 1, 1), "a packet of 2147483647 events"),
        (AEDAT3_HEAD + struct.pack("<hhiiiiii", 1, 1, -8, 4, 0, 1, -1, 1), "a packet of -1 events"),
        (AEDAT3_HEAD + struct.pack("<hhiiiiii", 1, 1, 16, 8, 0, 1, 1, 1) + bytes(16), "got 16 bytes with the time at 8"),
        (AEDAT3_HEAD + aedat3_packet(some()) + aedat3_packet(some(), source=2), "of one camera .*, got 2 cameras"),
    ],
)
def test_what_is_none_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "a.aedat").write_bytes(content)
    with pytest.raises(ValueError, match=complaint) as error:
        read_events(tmp_path / "a.aedat")
    assert "\n" not in str(error.value)
    assert str(tmp_path / "a.aedat") in str(error.value)


def test_the_limit_of_events(tmp_path: Path) -> None:
    (tmp_path / "a.aedat").write_bytes(AEDAT3_HEAD + aedat3_packet(some()))
    with allow(events=49), pytest.raises(ValueError, match=r"at most 49 events, got 50.*--allow events=50"):
        read_events(tmp_path / "a.aedat")


@pytest.mark.shared
def test_real_files(shared: Path) -> None:
    folder = shared / "data" / "events" / "formats"
    with pytest.raises(ValueError, match="expected events, got none"):
        read_events(folder / "sample_aedat_header.aedat")
    with pytest.raises(ValueError, match=r"of version 2\.0 or 3\.1"):
        read_events(folder / "sound_mono_32ch_ONOFF_addr2b_ts02.aedat")
