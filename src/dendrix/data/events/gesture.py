"""DVS128 Gesture: 11 hand and arm gestures of 29 people under three kinds of light, recorded by an event camera of 128 x 128 pixels.

Amir et al. (2017), "A low power, fully event-based gesture recognition system", CC BY 4.0. The published folder DvsGesture contains one
AEDAT 3.1 file per person and light, a table of the gestures in each with their start and end, and the lists of the files for training
(23 people) and testing (6 people): 1,342 gestures of about 6 s in all.
"""

import csv
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import InputError
from ..base import Dataset, Splits
from ..pack import data_root
from .aedat import stream_aedat
from .arrays import event_frames, events_from_array

SIZE = 128
GESTURES = (
    *("hand clapping", "right hand wave", "left hand wave", "right arm clockwise", "right arm counter clockwise", "left arm clockwise"),
    *("left arm counter clockwise", "arm roll", "air drums", "air guitar", "other gestures"),
)

_TITLE = "DVS128 Gesture"
_FOLDERS = ("", "DvsGesture", "dvs128_gesture", "DVS128Gesture")
_LISTS = ("trials_to_train.txt", "trials_to_test.txt")
_COLUMNS = ("class", "startTime_usec", "endTime_usec")
_VALID_SHARE = 0.1


class Mark(NamedTuple):
    """A gesture of a recording: its number from 1 to 11, and the microseconds of its start and its end, which is left out."""

    gesture: int
    start: int
    end: int


def dvs_gesture(
    root: str | Path | None = None, *, dt_ms: float = 20.0, pool: int = 4, duration_ms: float | None = None, seed: int = 0
) -> Splits[Dataset]:
    """Load DVS128 Gesture as event counts per time step, in the official split; a tenth of the training people are used for validation.

    Recordings are read in blocks, so that beside the counts only the events of one gesture are in memory.

    Args:
        root: the published folder, or its parent. None takes the folder named by the environment variable DENDRIX_DATA.
        dt_ms, pool, duration_ms: as in `event_frames`. The whole data set takes 0.8 GB of memory with pool=4 at 20 ms.
        seed: seed of the choice of people for validation.
    Raises:
        OSError: the data are missing or cannot be read.
        InputError: a recording or its table is damaged, a gesture has no events, or there are fewer than two people for training.
    """
    folder = _find(root)
    frames = partial(event_frames, width=SIZE, height=SIZE, dt_ms=dt_ms, pool=pool, duration_ms=duration_ms)
    train, test = (_listed(folder, name) for name in _LISTS)
    if both := sorted(set(train) & set(test)):
        raise InputError(f"{folder}: expected recordings for training or for testing, got {both[0]} in both lists. Unpack it again.")
    people = sorted({_person(name) for name in train})
    if len(people) < 2:
        raise InputError(f"{folder / _LISTS[0]}: expected recordings of at least two people, got {len(people)}. Unpack it again.")
    order = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed)).tolist()
    chosen = {people[i] for i in order[: max(round(_VALID_SHARE * len(people)), 1)]}
    parts = ([name for name in train if _person(name) not in chosen], [name for name in train if _person(name) in chosen], test)
    return Splits(*(_dataset(folder, names, frames, dt_ms) for names in parts))


def read_marks(path: Path) -> list[Mark]:
    """Read the table of the gestures of a recording, in the order of their start.

    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: it is no such table, or gestures are unknown, end before they start or overlap.
    """
    try:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
        if not rows or tuple(cell.strip() for cell in rows[0]) != _COLUMNS:
            raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
        marks = sorted((Mark(*map(int, row)) for row in rows[1:] if row), key=lambda mark: mark.start)
    except (ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path}: expected the table of a recording, but it cannot be read ({error}). Unpack it again.") from error
    for mark in marks:
        if not (1 <= mark.gesture <= len(GESTURES) and 0 <= mark.start < mark.end):
            raise InputError(
                f"{path}: expected gestures 1 to {len(GESTURES)} that end after their start, got {tuple(mark)}. Unpack it again."
            )
    for one, other in pairwise(marks):
        if other.start < one.end:
            raise InputError(f"{path}: expected gestures one after the other, got {tuple(one)} and {tuple(other)}. Unpack it again.")
    if not marks:
        raise InputError(f"{path}: expected at least one gesture, got none. Unpack it again.")
    return marks


def cut(blocks: Iterator[NDArray[Any]], marks: list[Mark]) -> Iterator[tuple[Mark, NDArray[Any]]]:
    """Yield the events of each gesture as soon as it is over.

    Args:
        blocks: structured arrays with a field t, in the order of time.
        marks: gestures one after the other.
    """
    waiting, parts = list(marks), list[NDArray[Any]]()
    for block in blocks:
        while waiting and len(block):
            mark, time = waiting[0], block["t"]
            parts.append(block[(time >= mark.start) & (time < mark.end)])
            if time.max() < mark.end:
                break
            yield waiting.pop(0), np.concatenate(parts)
            parts = []
        if not waiting:
            return
    for mark in waiting:
        yield mark, np.concatenate([*parts, np.zeros(0, [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")])])
        parts = []


def _find(root: str | Path | None) -> Path:
    base = data_root(root, _TITLE, "Get and unpack DvsGesture.tar.gz")
    for folder in (base / place for place in _FOLDERS):
        if all((folder / name).is_file() for name in _LISTS):
            return folder
    raise FileNotFoundError(
        f"{_TITLE}: expected {' and '.join(_LISTS)} in {base} or its folder DvsGesture, found not both. Check the path."
    )


def _listed(folder: Path, name: str) -> list[str]:
    names = list(dict.fromkeys((folder / name).read_text("utf-8-sig", "replace").split()))
    if missing := [each for each in names if not (folder / each).is_file()]:
        raise FileNotFoundError(
            f"{folder / name}: expected {missing[0]} and {len(missing) - 1} other files, which are missing. Unpack it again."
        )
    if not names:
        raise InputError(f"{folder / name}: expected the names of recordings, got none. Unpack it again.")
    return names


def _person(name: str) -> str:
    """The person of a file such as user01_fluorescent_led.aedat."""
    return name.partition("_")[0]


def _dataset(folder: Path, names: list[str], frames: partial[Tensor], dt_ms: float) -> Dataset:
    x, y = [], []
    for name in names:
        path = folder / name
        for mark, events in cut(stream_aedat(path), read_marks(path.with_name(f"{path.stem}_labels.csv"))):
            if not len(events):
                raise InputError(f"{path}: expected events from {mark.start} to {mark.end} us, got none. Unpack it again.")
            x.append(frames(events_from_array(events, str(path)), name=f"{path} from {mark.start} us"))
            y.append(mark.gesture - 1)
    return Dataset(x, torch.tensor(y), GESTURES, dt_ms)
