"""Reader of the HDF5 files of the Heidelberg data sets: spikes, counted per time step. The only module that imports h5py.

A file contains, for N clips: `spikes/times` (in s) and `spikes/units` (0 to 699), both ragged; `labels`, [N]; `extra/speaker`, [N]; and
`extra/keys`, the class names. A file may lack `extra`; its classes are then called 0, 1, ... Published times are float16, in which times
above 512 ms are rounded to 0.5 ms or more and microseconds overflow. They are converted to float64 first, unless a published result is
reproduced.
"""

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core import expect_count, expect_in, expect_one_of
from ...core.limits import expect_within
from ...errors import InputError, MissingExtraError
from .binning import count_per_step

UNITS = 700
_KEYS = ("spikes/times", "spikes/units", "labels")
_EXTRA = ("extra/keys", "extra/speaker")
SpikeTimeUnit = Literal["s", "ms"]
_LONGEST_S = 60
_PLAIN_S = 5
"""Longest clip that is read without saying its unit, in s: published clips last up to 1.4 s, and as ms up to 1,400."""
_DENSEST = 1100
"""Largest ratio of the compression of HDF5 (deflate), rounded up."""
_HEAP = b"GCOL\x01\0\0\0"
"""First bytes of a heap: its name, the version, and zeros. Its size follows, and then each object with its index and its size."""
_BLOCK = 256
"""Clips per read: reading clips one by one is several times slower, and reading all at once takes much memory."""


@dataclass(frozen=True)
class SpikeClips:
    """Spike counts and labels of a file.

    Args:
        counts: spikes per time step and channel of each clip, [T_i, 700 / group], uint8 if they fit and int32 otherwise.
        word: class of each clip, int64 [N].
        speaker: speaker of each clip, int64 [N]; None if the file has no speakers.
        words: names of the classes.
    """

    counts: list[Tensor]
    word: Tensor
    speaker: Tensor | None
    words: tuple[str, ...]


def read_spike_file(
    path: str | Path,
    *,
    dt_ms: float = 10.0,
    group: int = 5,
    from_first_spike: bool = True,
    half_precision: bool = False,
    time_unit: SpikeTimeUnit | None = None,
) -> SpikeClips:
    """Read a file in the format of this module and count its spikes per time step.

    Args:
        path: file to read.
        dt_ms, group, from_first_spike, half_precision: as in `count_spikes`.
        time_unit: unit of the times; None takes seconds, as published, and refuses times that may be milliseconds.
    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: the file has another format, is damaged, lacks a key, or contains invalid times, units or labels.
        MissingExtraError: h5py is not installed.
    """
    path = Path(path)
    group = _check_binning(dt_ms, group)
    if time_unit is not None:
        expect_one_of(time_unit, ("s", "ms"), "time_unit")
    h5py = _h5py()
    path.open("rb").close()  # a missing file, a folder or missing permission raises the specific OSError
    _check_heaps(path)
    try:
        with h5py.File(path, "r") as file:
            _check_sizes(file, path)
            words = _words(file, path)
            if len(set(words)) < len(words):
                raise InputError(f"{path}: expected distinct class names in extra/keys, got {', '.join(words)}. Copy it again.")
            word = _labels(_whole(file["labels"][()], f"{path}: labels"), len(words), path)
            spoken = _whole(file["extra/speaker"][()], f"{path}: extra/speaker") if "extra/speaker" in file else None
            speaker = None if spoken is None else torch.from_numpy(spoken)
            count = partial(count_spikes, dt_ms=dt_ms, group=group, from_first_spike=from_first_spike, half_precision=half_precision)
            counts = _count_all(file, count, path, time_unit)
    except (InputError, MissingExtraError):
        raise
    except Exception as error:  # h5py raises errors of any kind for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: expected spikes in HDF5, but it cannot be read ({reason}). Copy it again.") from error
    lengths = {len(counts), len(word), len(word if speaker is None else speaker)}
    if len(lengths) > 1:
        raise InputError(f"{path}: expected spikes, a label and a speaker for each clip, got {sorted(lengths)} of them. Copy it again.")
    return SpikeClips(counts, word, speaker, words)


def count_spikes(
    times: NDArray[np.float64],
    units: NDArray[np.int64],
    *,
    dt_ms: float = 10.0,
    group: int = 5,
    from_first_spike: bool = True,
    half_precision: bool = False,
) -> Tensor:
    """Count spikes per time step and group of neighbouring units. T is as in `count_per_step` without a duration.

    Args:
        times: spike times, in s, ascending, [N].
        units: unit of each spike, 0 to 699, [N].
        dt_ms: length of a time step, in ms.
        group: number of neighbouring units that are summed to one channel; must divide 700.
        from_first_spike: measure time from the first spike instead of from 0.
        half_precision: compute in float16, as in published results; about 2 % of the spikes then fall into another time step.
    Returns:
        counts [T, 700 / group], uint8 if they fit and int32 otherwise.
    Raises:
        InputError: `dt_ms` is not positive, or `group` is not a divisor of 700.
    Source: the released code of Hammouamri et al. (2024), arXiv 2306.17670, which calls SpikingJelly.
    """
    group = _check_binning(dt_ms, group)
    time_ms: NDArray[Any] = 1000 * times.astype(np.float16 if half_precision else np.float64)
    if from_first_spike:
        time_ms = time_ms - time_ms[:1]
    return count_per_step(time_ms, units // group, UNITS // group, dt_ms)


def _words(file: Any, path: Path) -> tuple[str, ...]:
    """The names of the classes; their numbers where the file has no names."""
    if "extra/keys" in file:
        return tuple(file["extra/keys"].asstr("utf-8", "replace")[()].tolist())
    classes = int(np.max(file["labels"][()], initial=0)) + 1
    expect_within(classes, "classes", f"{path}: labels")
    return tuple(map(str, range(classes)))


def _h5py() -> Any:
    try:
        import h5py
    except Exception as missing:
        raise MissingExtraError.of("Reading HDF5 needs", "h5py", "data", missing) from missing
    return h5py


def _check_binning(dt_ms: float, group: int) -> int:
    """Check both, and return the group as a plain integer."""
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    group = expect_count(group, f"[1, {UNITS}]", "group")
    if UNITS % group:
        raise InputError(f"group: expected a divisor of the {UNITS} units, got {group}. The published networks use 5.")
    return group


def _check_heaps(path: Path) -> None:
    """Walk through the heaps in which HDF5 stores ragged rows; it would walk forever where an object of no size is next."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_HEAP)
        while start >= 0:
            end = start + struct.unpack_from("<Q", content, start + 8)[0] if start + 16 <= len(content) else 0
            place = start + 16
            while place + 16 <= end <= len(content):
                index, length = struct.unpack_from("<H6xQ", content, place)
                step = length if index == 0 else 16 + -(-length // 8) * 8
                if step < 16 or place + step > end:
                    end = 0
                place += step
            if not start + 16 <= end <= len(content):
                raise InputError(f"{path}: expected spikes in HDF5, but its heap at {start} cannot be read. Copy it again.")
            start = content.find(_HEAP, end)


def _check_sizes(file: Any, path: Path) -> None:
    """Raise InputError unless all arrays exist and the file can hold what they claim."""
    if missing := [key for key in _KEYS if key not in file]:
        raise InputError(f"{path}: expected {', '.join(_KEYS)}, but {', '.join(missing)} is missing. Is this an SHD or SSC file?")
    size = path.stat().st_size
    for key in (*_KEYS, *_EXTRA):
        if key not in file:
            continue
        held = file[key]
        expect_within(held.shape[0] if held.shape else 1, "labels", f"{path}: {key}")
        if held.size * held.dtype.itemsize > _DENSEST * size:
            raise InputError(f"{path}: {key}: expected what {size:,} bytes can hold, got {held.size:,} claimed values. Copy it again.")
        if key.startswith("spikes/") and held.ndim not in (1, 2):
            raise InputError(f"{path}: {key}: expected one row for each clip, got shape {list(held.shape)}. Is this an SHD or SSC file?")


def _whole(values: Any, name: str) -> NDArray[np.int64]:
    row = np.asarray(values)
    if row.ndim != 1 or row.dtype.kind not in "iu":
        raise InputError(
            f"{name}: expected a one-dimensional integer array, got {row.dtype} of shape {list(row.shape)}. Is this an SHD or SSC file?"
        )
    return row.astype(np.int64)


def _labels(labels: NDArray[np.int64], classes: int, path: Path) -> Tensor:
    word = torch.from_numpy(labels)
    if len(word) == 0:
        raise InputError(f"{path}: expected labelled clips, got none. Copy it again.")
    if int(word.min()) < 0 or int(word.max()) >= classes:
        raise InputError(f"{path}: expected labels 0 to {classes - 1}, got {int(word.min())} to {int(word.max())}. Copy it again.")
    return word


def _count_all(
    file: Any, count: Callable[[NDArray[np.float64], NDArray[np.int64]], Tensor], path: Path, time_unit: SpikeTimeUnit | None
) -> list[Tensor]:
    all_times, all_units = file["spikes/times"], file["spikes/units"]
    if len(all_times) != len(all_units):
        raise InputError(
            f"{path}: expected times and units of the same number of clips, got {len(all_times)} and {len(all_units)}. Copy it again."
        )
    counts = []
    for start in range(0, len(all_times), _BLOCK):
        block = slice(start, start + _BLOCK)
        for clip, (times, units) in enumerate(zip(all_times[block], all_units[block], strict=True), start):
            name = f"{path}: clip {clip}"
            times, units = _seconds(times, time_unit, name), _whole(units, f"{name}: spikes/units")
            _check_spikes(times, units, name)
            counts.append(count(times, units))
    return counts


def _seconds(times: Any, unit: SpikeTimeUnit | None, name: str) -> NDArray[np.float64]:
    """The times of a clip in s; raises InputError where they may be in ms and the unit is not given."""
    if np.asarray(times).dtype.kind not in "iuf":
        raise InputError(f"{name}: expected times as numbers, got {np.asarray(times).dtype}. Is this an SHD or SSC file?")
    found: NDArray[np.float64] = times.astype(np.float64)
    if unit is not None or not len(found):
        return found / (1000 if unit == "ms" else 1)
    last = found.max()
    whole = times.dtype.kind in "iu" or (len(found) > 1 and last >= 1 and bool((found == np.rint(found)).all()))
    if last <= _LONGEST_S and (whole or last > _PLAIN_S):
        raise InputError(
            f"{name}: expected times in s, of clips of up to {_PLAIN_S} s, got times up to {last:g}, which may be ms. "
            "Say what they are: time_unit='s' or 'ms'."
        )
    return found


def _check_spikes(times: NDArray[np.float64], units: NDArray[np.int64], name: str) -> None:
    if len(times) != len(units):
        raise InputError(f"{name}: expected a unit for each time, got {len(times)} times and {len(units)} units. Copy the file again.")
    if len(times) == 0:
        return
    if not (np.isfinite(times).all() and times.min() >= 0 and times.max() <= _LONGEST_S):
        raise InputError(
            f"{name}: expected times of 0 to {_LONGEST_S} s, got {times.min():g} to {times.max():g}. Give them in seconds, or say "
            "time_unit='ms'."
        )
    if (np.diff(times) < 0).any():
        raise InputError(
            f"{name}: expected ascending times, got an earlier one at spike {int(np.argmax(np.diff(times) < 0)) + 1}. Sort them."
        )
    if units.min() < 0 or units.max() >= UNITS:
        raise InputError(f"{name}: expected units 0 to {UNITS - 1}, got {units.min()} to {units.max()}. Is this an SHD or SSC file?")
