"""Recordings of event cameras and other event sensors: reading files, and binning events into frames."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...core import expect_count, expect_in
from ...core.archives import read_npy
from ...core.files import read_bytes
from ...core.limits import expect_within
from ...errors import InputError
from . import camera
from .aedat import read_aedat
from .aedat4 import read_aedat4
from .binning import count_per_step

TimeUnit = Literal["us", "ms", "s"]
_MICROSECONDS: dict[TimeUnit, int] = {"us": 1, "ms": 1_000, "s": 1_000_000}
_LATEST = 1 << 62
"""Latest time in microseconds, so that sums of times fit int64."""
_FARTHEST = np.iinfo(np.int16).max
_OVERFLOW_ROW = 240
"""Row of a record in the format of N-MNIST that is not an event: the clock of 13 bits has overflowed."""
_OVERFLOW_US = 1 << 13


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


def read_events(path: str | Path, *, time_unit: TimeUnit | None = None) -> Events:
    """Read a file of events; its suffix selects the format.

    Args:
        path: `.bin` (format of N-MNIST) or `.bs2` (the same format of SLAYER); `.bs1` (the same for a line sensor); `.aedat` (AEDAT 2.0 and
            3.1); `.aedat4` (format of DV); `.raw`, `.h5` or `.hdf5` (Prophesee cameras, read by evlib); or `.npy` with a structured array
            as accepted by `events_from_array`.
        time_unit: unit of the times in a `.npy`, as in `events_from_array`.
    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: the suffix is unknown, or the file has another format, is empty, truncated or damaged, or has more events than the
            limit.
        MissingExtraError: the package for the format is not installed.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if time_unit is not None and suffix != ".npy":
        raise InputError(
            f"time_unit: expected it with an .npy alone, got '{path.name}', whose format says what its times are. Leave it out."
        )
    if suffix not in _READERS:
        raise InputError(
            f"{path}: expected an event file with suffix {', '.join(_READERS)}, got '{path.suffix}'. Convert it to one of these formats."
        )
    events = _read_npy(path, time_unit) if suffix == ".npy" else _READERS[suffix](path)
    if len(events.t) == 0:
        raise InputError(f"{path}: expected events, got none. Record or copy it again.")
    expect_within(len(events.t), "events", str(path))
    return events


def events_from_array(array: NDArray[Any], name: str = "array", time_unit: TimeUnit | None = None) -> Events:
    """Convert a structured array, the representation of tonic, to events.

    Args:
        array: structured array [N] with fields t, x, p and, unless the sensor is a line, y. A polarity of -1 is that of a decrease.
        name: name of the array, for the error message.
        time_unit: unit of t; None takes whole numbers for microseconds and refuses others, as they may be seconds or milliseconds.
    Raises:
        InputError: the array is not one-dimensional or lacks a field, or a value is not a whole number or does not fit `Events`.
    """
    fields = array.dtype.names or ()
    if array.ndim != 1 or not {"t", "x", "p"} <= set(fields):
        raise InputError(f"{name}: expected a structured array [N] with fields t, x, y, p, got {list(array.shape)} of {array.dtype}.")
    y = array["y"] if "y" in fields else np.zeros(len(array), np.int16)
    return checked_events(array["t"], array["x"], y, array["p"], name, time_unit)


def checked_events(
    t: NDArray[Any], x: NDArray[Any], y: NDArray[Any], p: NDArray[Any], name: str, time_unit: TimeUnit | None = None
) -> Events:
    """Events of numbers of any type, if they are whole and fit."""
    columns, rows = (_whole(values, 0, _FARTHEST, f"{name}: {axis}").astype(np.int16) for values, axis in ((x, "x"), (y, "y")))
    polarity = _whole(p, -1, 1, f"{name}: p") > 0
    return Events(_microseconds(t, name, time_unit), columns, rows, polarity.astype(np.uint8))


def _microseconds(t: NDArray[Any], name: str, unit: TimeUnit | None) -> NDArray[np.int64]:
    if unit is None:
        if t.dtype.kind == "f":
            raise InputError(
                f"{name}: t: expected whole microseconds, got {t.dtype}, which may be seconds. Say what: time_unit='s', 'ms' or 'us'."
            )
        return _whole(t, -_LATEST, _LATEST, f"{name}: t").astype(np.int64)
    factor = _MICROSECONDS.get(unit, 0)
    if not factor:
        raise InputError(f"time_unit: expected us, ms or s, got {unit!r}. Choose one of these.")
    if t.dtype.kind == "f":
        t = np.rint(t.astype(np.float64) * factor)
        factor = 1
    return _whole(t, -_LATEST // factor, _LATEST // factor, f"{name}: t").astype(np.int64) * factor


def _whole(values: NDArray[Any], low: int, high: int, name: str) -> NDArray[Any]:
    """Whole numbers of a range, of any type, [N]."""
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise InputError(f"{name}: expected numbers [N], got {values.dtype} of shape {list(values.shape)}. Convert them first.")
    values = np.ascontiguousarray(values)  # a field of records is read several times
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        odd = values[~np.isfinite(values) | (values != np.rint(values))][0]
        raise InputError(f"{name}: expected whole numbers, got {odd}. Round or repair them first.")
    if len(values) and not low <= values.min() <= values.max() <= high:
        raise InputError(
            f"{name}: expected numbers from {low} to {high}, got {values.min()} to {values.max()}. Is it another field or unit?"
        )
    return values


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
        InputError: an event is outside the sensor, `pool` is not a divisor, `dt_ms` is not positive, or the result exceeds the limit of
            `frame_values` (see `core.limits`).
    """
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    # Sizes that are computed from narrow arrays, such as events.x.max() + 1, would overflow.
    width, height, pool = (expect_count(size, "[1, inf)", axis) for size, axis in ((width, "width"), (height, "height"), (pool, "pool")))
    if width % pool or height % pool:
        raise InputError(f"pool: expected a divisor of {width} and {height} pixels, got {pool}. Choose one, such as 1.")
    if any(part.dtype.kind not in "iub" for part in events):
        events = checked_events(*events, name)
    for value, size, axis in ((events.x, width, "x"), (events.y, height, "y"), (events.p, 2, "p")):
        if len(value) and not 0 <= value.min() <= value.max() < size:
            raise InputError(f"{name}: expected {axis} from 0 to {size - 1}, got {value.min()} to {value.max()}. Is the sensor larger?")
    columns, rows = width // pool, height // pool
    place = (events.p.astype(np.int64) * rows + events.y // pool) * columns + events.x // pool
    time_ms = (events.t - events.t.min(initial=np.iinfo(np.int64).max)) / 1000
    return count_per_step(time_ms, place, 2 * rows * columns, dt_ms, duration_ms, name=name)


def _read_bin(path: Path) -> Events:
    """Read records of 40 bits: 8 for x, 8 for y, 1 for the polarity, 23 for the time. Marks of an overflow advance the time behind them."""
    record = _records(path)
    marks = record[:, 1] == _OVERFLOW_ROW
    if not marks.any():
        return _of_records(record, _time(record))
    time = _time(record) + _OVERFLOW_US * np.cumsum(marks)
    return _of_records(record[~marks], time[~marks])


def _read_bs2(path: Path) -> Events:
    """Read the same records of a sensor that may have so many rows; there are no marks."""
    record = _records(path)
    return _of_records(record, _time(record))


def _of_records(record: NDArray[np.uint8], time: NDArray[np.int64]) -> Events:
    return Events(time, record[:, 0].astype(np.int16), record[:, 1].astype(np.int16), _polarity(record))


def _read_bs1(path: Path) -> Events:
    """Read records of 40 bits: 16 for x, 1 for the polarity, 23 for the time."""
    record = _records(path)
    x = record[:, 0].astype(np.int32) << 8 | record[:, 1]
    return checked_events(_time(record), x, np.zeros_like(x), _polarity(record), str(path))


def _records(path: Path) -> NDArray[np.uint8]:
    content = np.frombuffer(read_bytes(path), np.uint8)
    if len(content) % 5:
        raise InputError(f"{path}: expected records of 5 bytes, got {len(content)} bytes: the file is truncated. Copy it again.")
    return content.reshape(-1, 5)


def _time(record: NDArray[np.uint8]) -> NDArray[np.int64]:
    high, middle, low = record[:, 2:].astype(np.int64).T
    time: NDArray[np.int64] = (high & 127) << 16 | middle << 8 | low
    return time


def _polarity(record: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (record[:, 2] >> 7).astype(np.uint8)


def _read_npy(path: Path, time_unit: TimeUnit | None = None) -> Events:
    return events_from_array(read_npy(path, "a structured array in .npy"), str(path), time_unit)


def _read_aedat(path: Path) -> Events:
    return events_from_array(read_aedat(path), str(path))


def _read_aedat4(path: Path) -> Events:
    return events_from_array(read_aedat4(path), str(path))


def _read_camera(path: Path) -> Events:
    return checked_events(*camera.read_camera_file(path), str(path))


_READERS: dict[str, Callable[[Path], Events]] = {
    ".bin": _read_bin,
    ".bs2": _read_bs2,
    ".bs1": _read_bs1,
    ".aedat": _read_aedat,
    ".aedat4": _read_aedat4,
    **dict.fromkeys(camera.SUFFIXES, _read_camera),
    ".npy": _read_npy,
}
