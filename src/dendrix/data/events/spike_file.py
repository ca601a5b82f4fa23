"""Reader of the HDF5 files of the Heidelberg data sets: spikes, counted per time step. The only module that imports h5py.

A file contains, for N clips: `spikes/times` (in s) and `spikes/units` (0 to 699), both ragged; `labels`, [N]; `extra/speaker`, [N]; and
`extra/keys`, the class names. A file may lack `extra`; its classes are then called 0, 1, ... Published times are float16, in which times
above 512 ms are rounded to 0.5 ms or more and microseconds overflow. They are converted to float64 first, unless a published result is
reproduced.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core import expect_in
from ...errors import InputError, MissingExtraError
from .binning import count_per_step

UNITS = 700
_KEYS = ("spikes/times", "spikes/units", "labels")
_LONGEST_S = 60
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
    path: str | Path, *, dt_ms: float = 10.0, group: int = 5, from_first_spike: bool = True, half_precision: bool = False
) -> SpikeClips:
    """Read a file in the format of this module and count its spikes per time step.

    Args:
        path: file to read.
        dt_ms, group, from_first_spike, half_precision: as in `count_spikes`.
    Raises:
        OSError: the file does not exist or cannot be opened.
        InputError: the file has another format, is damaged, lacks a key, or contains invalid times, units or labels.
        MissingExtraError: h5py is not installed.
    """
    path = Path(path)
    _check_binning(dt_ms, group)
    h5py = _h5py()
    path.open("rb").close()  # a missing file, a folder or missing permission raises the specific OSError
    try:
        with h5py.File(path, "r") as file:
            if missing := [key for key in _KEYS if key not in file]:
                raise InputError(f"{path}: expected {', '.join(_KEYS)}, but {', '.join(missing)} is missing. Is this an SHD or SSC file?")
            words = _words(file)
            if len(set(words)) < len(words):
                raise InputError(f"{path}: expected distinct class names in extra/keys, got {', '.join(words)}. Copy it again.")
            word = _labels(_whole(file["labels"][()], f"{path}: labels"), len(words), path)
            spoken = _whole(file["extra/speaker"][()], f"{path}: extra/speaker") if "extra/speaker" in file else None
            speaker = None if spoken is None else torch.from_numpy(spoken)
            count = partial(count_spikes, dt_ms=dt_ms, group=group, from_first_spike=from_first_spike, half_precision=half_precision)
            counts = _count_all(file, count, path)
    except (OSError, KeyError, TypeError, AttributeError, RuntimeError) as error:  # h5py raises KeyError for a damaged header
        raise InputError(f"{path}: expected spikes in HDF5, but it cannot be read ({error}). Copy it again.") from error
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
    _check_binning(dt_ms, group)
    time_ms: NDArray[Any] = 1000 * times.astype(np.float16 if half_precision else np.float64)
    if from_first_spike:
        time_ms = time_ms - time_ms[:1]
    return count_per_step(time_ms, units // group, UNITS // group, dt_ms)


def _words(file: Any) -> tuple[str, ...]:
    """The names of the classes; their numbers where the file has no names."""
    if "extra/keys" in file:
        return tuple(file["extra/keys"].asstr("utf-8", "replace")[()].tolist())
    return tuple(map(str, range(int(np.max(file["labels"][()], initial=0)) + 1)))


def _h5py() -> Any:
    try:
        import h5py
    except Exception as missing:
        raise MissingExtraError.of("Reading HDF5 needs", "h5py", "data", missing) from missing
    return h5py


def _check_binning(dt_ms: float, group: int) -> None:
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    if group < 1 or UNITS % group:
        raise InputError(f"group: expected a divisor of the {UNITS} units, got {group}. The published networks use 5.")


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


def _count_all(file: Any, count: Callable[[NDArray[np.float64], NDArray[np.int64]], Tensor], path: Path) -> list[Tensor]:
    all_times, all_units = file["spikes/times"], file["spikes/units"]
    if len(all_times) != len(all_units):
        raise InputError(
            f"{path}: expected times and units of the same number of clips, got {len(all_times)} and {len(all_units)}. Copy it again."
        )
    counts = []
    for start in range(0, len(all_times), _BLOCK):
        block = slice(start, start + _BLOCK)
        for clip, (times, units) in enumerate(zip(all_times[block], all_units[block], strict=True), start):
            times, units = times.astype(np.float64), _whole(units, f"{path}: clip {clip}: spikes/units")
            _check_spikes(times, units, f"{path}: clip {clip}")
            counts.append(count(times, units))
    return counts


def _check_spikes(times: NDArray[np.float64], units: NDArray[np.int64], name: str) -> None:
    if len(times) != len(units):
        raise InputError(f"{name}: expected a unit for each time, got {len(times)} times and {len(units)} units. Copy the file again.")
    if len(times) == 0:
        return
    if not (np.isfinite(times).all() and times.min() >= 0 and times.max() <= _LONGEST_S):
        raise InputError(f"{name}: expected times of 0 to {_LONGEST_S} s, got {times.min():g} to {times.max():g}. Give them in seconds.")
    if (np.diff(times) < 0).any():
        raise InputError(
            f"{name}: expected ascending times, got an earlier one at spike {int(np.argmax(np.diff(times) < 0)) + 1}. Sort them."
        )
    if units.min() < 0 or units.max() >= UNITS:
        raise InputError(f"{name}: expected units 0 to {UNITS - 1}, got {units.min()} to {units.max()}. Is this an SHD or SSC file?")
