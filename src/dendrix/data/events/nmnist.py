"""N-MNIST: the MNIST digits recorded by a moving event camera, 34 x 34 pixels, two polarities, about 0.3 s each.

Orchard et al. (2015), "Converting static image datasets to spiking neuromorphic datasets using saccades", CC BY-SA 4.0. The published
folders Train (60,000 recordings) and Test (10,000) contain one folder of .bin files per digit.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ..base import Dataset, Splits
from ..pack import data_root, ranges, read_pack
from .arrays import Events, checked_events, event_frames, read_events

SIZE = 34
DIGITS = tuple("0123456789")

_TITLE = "N-MNIST"
_FOLDERS = ("", "nmnist", "NMNIST", "N-MNIST")
_PACKS = ("", "nmnist_small.npz", "events/nmnist_small.npz")
_PACK_TRAIN = 400
_VALID_SHARE = 0.1


class Recording(NamedTuple):
    """Events of one digit."""

    events: Events
    digit: int
    name: str
    """Path of the file, for error messages."""


def nmnist(
    root: str | Path | None = None, *, dt_ms: float = 10.0, pool: int = 2, duration_ms: float | None = None, seed: int = 0
) -> Splits[Dataset]:
    """Load N-MNIST as event counts per time step; a random tenth of the official training split is used for validation.

    Args:
        root: folder with the published folders Train and Test, the pack `nmnist_small.npz` with a subset of them, or a folder that
            contains either. None takes the folder named by the environment variable DENDRIX_DATA.
        dt_ms, pool, duration_ms: as in `event_frames`. The whole data set at 10 ms takes 1.3 GB of memory with pool=2, and 5 GB with
            pool=1.
        seed: seed of the validation split.
    Raises:
        OSError: the data are missing or cannot be read.
        InputError: a file is damaged, a digit has no file, or an event is outside the sensor.
    """
    frames = partial(event_frames, width=SIZE, height=SIZE, dt_ms=dt_ms, pool=pool, duration_ms=duration_ms)
    train, test = (_dataset(part, frames, dt_ms) for part in _recordings(root))
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    held_out = max(round(_VALID_SHARE * len(train)), 1)
    return Splits(train.subset(order[held_out:]), train.subset(order[:held_out]), test)


def _recordings(root: str | Path | None) -> Sequence[Iterable[Recording]]:
    """Return the recordings of the training and of the test split."""
    base = data_root(root, _TITLE, "Get its folders Train and Test")
    for folder in (base / place for place in _FOLDERS):
        if all((folder / part).is_dir() for part in ("Train", "Test")):
            return [_folder_recordings(folder / part) for part in ("Train", "Test")]
    for pack in (base / place for place in _PACKS):
        if pack.is_file():
            return _pack_recordings(pack)
    raise FileNotFoundError(
        f"{_TITLE}: expected folders Train and Test or a file nmnist_small.npz in {base}, found neither. "
        'Check the path, or get them with dendrix.data.fetch("nmnist").'
    )


def _dataset(recordings: Iterable[Recording], frames: Callable[..., Tensor], dt_ms: float) -> Dataset:
    x, y = zip(*((frames(recording.events, name=recording.name), recording.digit) for recording in recordings), strict=True)
    return Dataset(x, torch.tensor(y), DIGITS, dt_ms)


def _folder_recordings(folder: Path) -> Iterator[Recording]:
    """Yield the recordings of one split, digit by digit; each file is read when its recording is requested."""
    for digit in DIGITS:
        names = sorted(name for name in os.listdir(folder / digit) if name.endswith(".bin"))
        if not names:
            raise InputError(f"{folder / digit}: expected .bin files, got none. Unpack the whole archive again.")
        for name in names:
            yield Recording(read_events(folder / digit / name), int(digit), str(folder / digit / name))


def _pack_recordings(path: Path) -> list[list[Recording]]:
    """Read both splits of the pack: `yp` is y with the polarity in bit 7, `dt` the time since the previous event, split at `offsets`."""
    keys = ("x", "yp", "dt", "offsets", "labels")
    pack = read_pack(path, _TITLE, keys, whole=keys)
    ends = ranges(path, pack["offsets"], len(pack["x"]), pack["labels"])
    if {len(pack[key]) for key in ("yp", "dt")} != {len(pack["x"])}:
        raise InputError(f"{path}: expected x, yp and dt of each event, but the arrays do not match. Copy it again.")
    if len(pack["labels"]) <= _PACK_TRAIN:
        raise InputError(f"{path}: expected {_PACK_TRAIN} recordings for training and some for testing, got {len(pack['labels'])} in all.")
    recordings = []
    for digit, x, yp, dt in zip(pack["labels"], *(np.split(pack[key], ends[1:-1]) for key in ("x", "yp", "dt")), strict=True):
        events = checked_events(dt.cumsum(dtype=np.int64), x, yp & 127, yp >> 7, str(path))
        recordings.append(Recording(events, int(digit), str(path)))
    return [recordings[:_PACK_TRAIN], recordings[_PACK_TRAIN:]]
