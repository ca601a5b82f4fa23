"""Recordings of event cameras and other event sensors: from files to events, and to counts per time step."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...core import expect_in
from ...errors import InputError
from .aedat4 import read_aedat4
from .binning import count_per_step


class Events(NamedTuple):
    """N events, in the order of the file."""

    t: NDArray[np.int64]
    """in microseconds"""
    x: NDArray[np.int16]
    y: NDArray[np.int16]
    """0 where the sensor is a line"""
    p: NDArray[np.uint8]
    """polarity, 1 for more and 0 for less"""


def read_events(path: str | Path) -> Events:
    """Read a file of events, by the ending of its name.

    Args:
        path: `.bin` as in N-MNIST or `.bs2`, the same; `.bs1`, the form of these for a line of sensors; `.aedat4`, as DV writes it; or
            `.npy` with a structured array that `events_from_array` takes.
    Raises:
        OSError: there is no such file or it may not be read.
        ValueError: it is of another kind, empty, cut short or damaged.
        ImportError: lz4 is missing, which most `.aedat4` need.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: expected a file of events ending in {', '.join(_READERS)}, got '{path.suffix}'. Convert it to one.")
    events = reader(path)
    if len(events.t) == 0:
        raise InputError(f"{path}: expected events, got none. Record or copy it again.")
    return events


def events_from_array(array: NDArray[Any], name: str = "array") -> Events:
    """Events from a structured array, as tonic has them: fields t in microseconds, x, p and, if the sensor is no line, y.

    Raises:
        ValueError: it is no such array.
    """
    fields = array.dtype.names or ()
    if array.ndim != 1 or not {"t", "x", "p"} <= set(fields):
        raise InputError(f"{name}: expected a structured array [N] with fields t, x, y, p, got {list(array.shape)} of {array.dtype}.")
    y = array["y"] if "y" in fields else np.zeros(len(array))
    return Events(array["t"].astype(np.int64), array["x"].astype(np.int16), y.astype(np.int16), array["p"].astype(np.uint8))


def event_frames(
    events: Events, width: int, height: int, *, dt_ms: float = 10.0, pool: int = 1, duration_ms: float | None = None, name: str = "events"
) -> Tensor:
    """Events per step, counted in [T, 2 * (height / pool) * (width / pool)]: first all places with polarity 0, row by row, then with 1.

    Args:
        events: in any order; time is counted from the first.
        width, height: of the sensor, in pixels.
        dt_ms: the length of a step, in ms.
        pool: pixels along x and y that are counted together; a divisor of width and height.
        duration_ms: the length that is wanted, as in `count_per_step`; None takes that of the recording.
        name: what they are, for the message.
    Returns:
        integers, a byte each where they fit.
    Raises:
        ValueError: an event lies outside of the sensor, or `pool` is no divisor.
    """
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    if pool < 1 or width % pool or height % pool:
        raise InputError(f"pool: expected a divisor of {width} and {height} pixels, got {pool}.")
    for value, size, axis in ((events.x, width, "x"), (events.y, height, "y"), (events.p, 2, "p")):
        if len(value) and not 0 <= value.min() <= value.max() < size:
            raise InputError(f"{name}: expected {axis} from 0 to {size - 1}, got {value.min()} to {value.max()}. Is the sensor larger?")
    columns, rows = width // pool, height // pool
    place = (events.p.astype(np.int64) * rows + events.y // pool) * columns + events.x // pool
    time_ms = (events.t - events.t.min(initial=np.iinfo(np.int64).max)) / 1000
    return count_per_step(time_ms, place, 2 * rows * columns, dt_ms, duration_ms)


def _read_bin(path: Path) -> Events:
    """Records of 40 bits: x and y in 8 each, polarity in 1, time in 23."""
    record = _records(path)
    return Events(_time(record), record[:, 0].astype(np.int16), record[:, 1].astype(np.int16), _polarity(record))


def _read_bs1(path: Path) -> Events:
    """Records of 40 bits: x in 16, polarity in 1, time in 23."""
    record = _records(path)
    x = record[:, 0].astype(np.int16) << 8 | record[:, 1]
    return Events(_time(record), x, np.zeros_like(x), _polarity(record))


def _records(path: Path) -> NDArray[np.uint8]:
    content = np.frombuffer(path.read_bytes(), np.uint8)
    if len(content) % 5:
        raise InputError(f"{path}: expected records of 5 bytes, got {len(content)} bytes: it was cut short. Copy it again.")
    return content.reshape(-1, 5)


def _time(record: NDArray[np.uint8]) -> NDArray[np.int64]:
    high, middle, low = record[:, 2:].astype(np.int64).T
    time: NDArray[np.int64] = (high & 127) << 16 | middle << 8 | low
    return time


def _polarity(record: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (record[:, 2] >> 7).astype(np.uint8)


def _read_aedat4(path: Path) -> Events:
    return events_from_array(read_aedat4(path))


def _read_npy(path: Path) -> Events:
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                raise InputError("it is an .npz")
            file.seek(0)
            array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: expected a structured array in .npy, but it cannot be read ({error}). Save it again.") from error
    return events_from_array(array, str(path))


_READERS: dict[str, Callable[[Path], Events]] = {
    ".bin": _read_bin,
    ".bs2": _read_bin,
    ".bs1": _read_bs1,
    ".aedat4": _read_aedat4,
    ".npy": _read_npy,
}
