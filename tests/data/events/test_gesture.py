"""DVS128 Gesture from a generated folder of the published form."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dendrix.data import Events, dvs_gesture
from dendrix.data.events.gesture import GESTURES, read_marks
from support.event_files import AEDAT3_HEAD, aedat3_packet

HEAD = "class,startTime_usec,endTime_usec\n"


def write(folder: Path, name: str, gestures: list[int]) -> None:
    """A recording: gesture k has k events at x = k, in packets that end within a gesture, with other events before, between and behind."""
    start, table, events = (1 << 31) + 1000, HEAD, []
    for gesture in gestures:
        events += [(start - 500, 100, 100, 0)]
        events += [(start + 10_000 * i, gesture, 127, i % 2) for i in range(gesture)]
        table += f"{gesture},{start},{start + 200_000}\n"
        start += 300_000
    events += [(start + 5, 100, 100, 1)]
    t, x, y, p = np.array(events).T
    whole = Events(t, x.astype(np.int16), y.astype(np.int16), p.astype(np.uint8))
    packets = [aedat3_packet(Events(*(part[i : i + 3] for part in whole))) for i in range(0, len(t), 3)]
    (folder / f"{name}.aedat").write_bytes(AEDAT3_HEAD + b"".join(packets))
    (folder / f"{name}_labels.csv").write_text(table)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "DvsGesture"
    place.mkdir()
    names = [f"user{person:02}_{light}" for person in (1, 2, 3, 24) for light in ("led", "natural")]
    for i, name in enumerate(names):
        write(place, name, [1 + i, 11 - i, 5])
    (place / "trials_to_train.txt").write_text("".join(f"{name}.aedat\n" for name in names[:6]))
    (place / "trials_to_test.txt").write_text("".join(f"{name}.aedat\n" for name in names[6:]) + "\n")
    return place


def test_the_official_split_with_people_held_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = dvs_gesture(folder.parent)
    assert [len(part) for part in splits] == [12, 6, 6]
    assert splits.test.labels == GESTURES
    assert splits.test.y.tolist() == [6, 4, 4, 7, 3, 4]
    assert splits.test.channels == 2 * 32 * 32
    monkeypatch.setenv("DENDRIX_DATA", str(folder))
    assert {tuple(dvs_gesture(seed=seed).valid.y.tolist()) for seed in range(6)} == {
        (0, 10, 4, 1, 9, 4),
        (2, 8, 4, 3, 7, 4),
        (4, 6, 4, 5, 5, 4),
    }


def test_each_gesture_has_its_own_events(folder: Path) -> None:
    test = dvs_gesture(folder, dt_ms=10.0, pool=1, duration_ms=200.0).test
    for x, y in zip(test.x, test.y.tolist(), strict=True):
        gesture = y + 1
        assert x.shape == (20, 2 * 128 * 128)
        expected = torch.zeros(20, 2, 128, 128)
        for i in range(gesture):
            expected[i, i % 2, 127, gesture] = 1
        assert torch.equal(x.view(20, 2, 128, 128).float(), expected)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("", "columns are not class"),
        ("1,2,3\n", "columns are not class"),
        (HEAD, "at least one gesture"),
        (HEAD + "a,2,3\n", "cannot be read"),
        (HEAD + "1,2\n", "cannot be read"),
        (HEAD + "12,2,3\n", "gestures 1 to 11"),
        (HEAD + "1,3,3\n", "end after their start"),
        (HEAD + "1,0,10\n2,9,20\n", "one after the other"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, table: str, says: str) -> None:
    (tmp_path / "a_labels.csv").write_text(table)
    with pytest.raises(ValueError, match=says):
        read_marks(tmp_path / "a_labels.csv")


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "user24_led_labels.csv").write_text(HEAD + "1,1,10\n")
    with pytest.raises(ValueError, match=r"user24_led\.aedat: expected events from 1 to 10 us, got none"):
        dvs_gesture(folder)
    (folder / "user24_led_labels.csv").unlink()
    with pytest.raises(FileNotFoundError, match="user24_led_labels"):
        dvs_gesture(folder)
    (folder / "user24_led.aedat").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected user24_led\.aedat and 0 other files"):
        dvs_gesture(folder)
    (folder / "trials_to_test.txt").write_text("user01_led.aedat\n")
    with pytest.raises(ValueError, match=r"got user01_led\.aedat in both lists"):
        dvs_gesture(folder)
    (folder / "trials_to_test.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"trials_to_train\.txt and trials_to_test\.txt"):
        dvs_gesture(folder.parent)
