"""Recordings of event cameras and other event sensors: reading files, and binning events into frames."""

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
    """Time in microseconds, [N]."""
    x: NDArray[np.int16]
    """Column of the sensor, [N]."""
    y: NDArray[np.int16]
    """Row of the sensor, [N]; 0 if the sensor is a line."""
    p: NDArray[np.uint8]
    """Polarity, [N]: 1 for an increase, 0 for a decrease."""


def read_events(path: str | Path) -> Events:
    """Read a file of events; its suffix selects the format.

    Args:
        path: `.bin` (format of N-MNIST) or `.bs2` (the same format); `.bs1` (the same for a line sensor); `.aedat4` (format of DV); or
            `.npy` with a structured array as accepted by `events_from_array`.
    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: the suffix is unknown, or the file has another format or is empty, truncated or damaged.
        MissingExtraError: an `.aedat4` file is compressed and lz4 is not installed.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path}: expected an event file with suffix {', '.join(_READERS)}, got '{path.suffix}'. Convert it to one of these formats."
        )
    events = reader(path)
    if len(events.t) == 0:
        raise InputError(f"{path}: expected events, got none. Record or copy it again.")
    return events


def events_from_array(array: NDArray[Any], name: str = "array") -> Events:
    """Convert a structured array, the representation of tonic, to events.

    Args:
        array: structured array [N] with fields t (in microseconds), x, p and, unless the sensor is a line, y.
        name: name of the array, for the error message.
    Raises:
        InputError: the array is not one-dimensional or lacks a field.
    """
    fields = array.dtype.names or ()
    if array.ndim != 1 or not {"t", "x", "p"} <= set(fields):
        raise InputError(f"{name}: expected a structured array [N] with fields t, x, y, p, got {list(array.shape)} of {array.dtype}.")
    y = array["y"] if "y" in fields else np.zeros(len(array))
    return Events(array["t"].astype(np.int64), array["x"].astype(np.int16), y.astype(np.int16), array["p"].astype(np.uint8))


def event_frames(
    events: Events, width: int, height: int, *, dt_ms: float = 10.0, pool: int = 1, duration_ms: float | None = None, name: str = "events"
) -> Tensor:
    """Count events per time step, polarity and pixel.

    Args:
        events: events in any order; time starts at the earliest event.
        width, height: size of the sensor, in pixels.
        dt_ms: length of a time step, in ms.
        pool: side of the square blocks of pixels that are summed; must divide width and height.
        duration_ms: length of the result, as in `count_per_step`; None takes that of the recording.
        name: name of the recording, for the error message.
    Returns:
        counts [T, 2 * (height / pool) * (width / pool)], uint8 if they fit and int32 otherwise; polarity 0 row by row, then polarity 1.
    Raises:
        InputError: an event is outside the sensor, `pool` is not a divisor, or `dt_ms` is not positive.
    """
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    if pool < 1 or width % pool or height % pool:
        raise InputError(f"pool: expected a divisor of {width} and {height} pixels, got {pool}. Choose one, such as 1.")
    for value, size, axis in ((events.x, width, "x"), (events.y, height, "y"), (events.p, 2, "p")):
        if len(value) and not 0 <= value.min() <= value.max() < size:
            raise InputError(f"{name}: expected {axis} from 0 to {size - 1}, got {value.min()} to {value.max()}. Is the sensor larger?")
    columns, rows = width // pool, height // pool
    place = (events.p.astype(np.int64) * rows + events.y // pool) * columns + events.x // pool
    time_ms = (events.t - events.t.min(initial=np.iinfo(np.int64).max)) / 1000
    return count_per_step(time_ms, place, 2 * rows * columns, dt_ms, duration_ms)


def _read_bin(path: Path) -> Events:
    """Read records of 40 bits: 8 for x, 8 for y, 1 for the polarity, 23 for the time."""
    record = _records(path)
    return Events(_time(record), record[:, 0].astype(np.int16), record[:, 1].astype(np.int16), _polarity(record))


def _read_bs1(path: Path) -> Events:
    """Read records of 40 bits: 16 for x, 1 for the polarity, 23 for the time."""
    record = _records(path)
    x = record[:, 0].astype(np.int16) << 8 | record[:, 1]
    return Events(_time(record), x, np.zeros_like(x), _polarity(record))


def _records(path: Path) -> NDArray[np.uint8]:
    content = np.frombuffer(path.read_bytes(), np.uint8)
    if len(content) % 5:
        raise InputError(f"{path}: expected records of 5 bytes, got {len(content)} bytes: the file is truncated. Copy it again.")
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
                raise InputError("the file is an .npz")
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
