"""Spiking Heidelberg Digits (SHD) and Spiking Speech Commands (SSC): spoken words as spikes of 700 cochlea channels.

Cramer, Stradmann, Schemmel & Zenke (2020), arXiv 1910.07407, https://zenkelab.org/datasets, CC BY 4.0. File format: see
`data.events.spike_file`. SHD: 20 classes (the digits in English and German), 8,156 training and 2,264 test clips; two of the twelve
speakers occur only in the test split, and there is no validation split. SSC: 35 words; 75,466 training, 9,981 validation and 20,382 test
clips.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ...core import expect_one_of
from ...errors import InputError
from ..base import Dataset, Splits
from ..pack import data_root
from .spike_file import SpikeClips, SpikeTimeUnit, read_spike_file

HeldOut = Literal["random", "speaker", "test"]
_PLACES = ("", "shd", "ssc", "SHD", "SSC", "speech", "hdspikes")
_VALID_SHARE = 0.2


def shd(
    root: str | Path | None = None,
    *,
    dt_ms: float = 10.0,
    group: int = 5,
    from_first_spike: bool = True,
    half_precision: bool = False,
    held_out: HeldOut = "random",
    seed: int = 0,
    time_unit: SpikeTimeUnit | None = None,
) -> Splits[Dataset]:
    """Load the Spiking Heidelberg Digits as spike counts per time step.

    Args:
        root: folder with shd_train.h5 and shd_test.h5, or its parent. None takes the folder named by the environment variable
            DENDRIX_DATA.
        dt_ms, group, from_first_spike, half_precision: as in `count_spikes`.
        held_out: validation split. "random": a fifth of the training clips. "speaker": all training clips of one speaker. "test": train
            on the whole training file and validate on the test clips, as in published results; the test accuracy of a model that was
            selected on these clips is biased.
        time_unit: as in `read_spike_file`.
        seed: seed of the random fifth; or the index of the held-out speaker, modulo the number of speakers.
    Raises:
        OSError, InputError: a file is missing, damaged or in another format, or there is only one speaker and `held_out` is "speaker".
        MissingExtraError: h5py is not installed.
    """
    expect_one_of(held_out, get_args(HeldOut), "held_out")
    paths = _find(root, "SHD", ("shd_train.h5", "shd_test.h5"))
    binning: dict[str, Any] = {"dt_ms": dt_ms, "group": group, "from_first_spike": from_first_spike, "half_precision": half_precision}
    read: Callable[[Path], SpikeClips] = partial(read_spike_file, **binning, time_unit=time_unit)
    train, test = map(read, paths)
    _check_words([train, test], paths)
    if held_out == "test":
        return Splits(_dataset(train, dt_ms), _dataset(test, dt_ms), _dataset(test, dt_ms))
    valid = _one_speaker(train, seed, paths[0]) if held_out == "speaker" else _random_share(len(train.word), seed)
    data = _dataset(train, dt_ms)
    return Splits(data.subset(~valid), data.subset(valid), _dataset(test, dt_ms))


def ssc(
    root: str | Path | None = None,
    *,
    dt_ms: float = 10.0,
    group: int = 5,
    from_first_spike: bool = True,
    half_precision: bool = False,
    time_unit: SpikeTimeUnit | None = None,
) -> Splits[Dataset]:
    """Load the official splits of the Spiking Speech Commands as spike counts per time step.

    Args:
        root: folder with ssc_train.h5, ssc_valid.h5 and ssc_test.h5, or its parent. None takes the folder named by the environment
            variable DENDRIX_DATA.
        dt_ms, group, from_first_spike, half_precision: as in `count_spikes`. All clips at 10 ms and 140 channels take about 1.1 GB of
            memory.
        time_unit: as in `read_spike_file`.
    Raises:
        OSError, InputError: a file is missing, damaged or in another format.
        MissingExtraError: h5py is not installed.
    """
    paths = _find(root, "SSC", ("ssc_train.h5", "ssc_valid.h5", "ssc_test.h5"))
    binning: dict[str, Any] = {"dt_ms": dt_ms, "group": group, "from_first_spike": from_first_spike, "half_precision": half_precision}
    read: Callable[[Path], SpikeClips] = partial(read_spike_file, **binning, time_unit=time_unit)
    parts = [read(path) for path in paths]
    _check_words(parts, paths)
    return Splits(*(_dataset(part, dt_ms) for part in parts))


def _find(root: str | Path | None, title: str, names: tuple[str, ...]) -> list[Path]:
    """Return the paths of the files; the error names the missing files of the folder that contains most of them."""
    base = data_root(root, title, f"Get {', '.join(names)} with dendrix fetch {title.lower()} or from https://zenkelab.org/datasets")
    missing = {place: [name for name in names if not (base / place / name).is_file()] for place in _PLACES}
    place = min(missing, key=lambda place: len(missing[place]))
    if missing[place]:
        raise FileNotFoundError(
            f"{title}: expected {', '.join(names)} in {base / place}, found no {', '.join(missing[place])}. "
            f"Check the path, or get them with dendrix fetch {title.lower()}."
        )
    return [base / place / name for name in names]


def _check_words(parts: list[SpikeClips], paths: list[Path]) -> None:
    for part, path in zip(parts, paths, strict=True):
        if part.words != parts[0].words:
            raise InputError(f"{path}: expected the classes of {paths[0].name}, got different ones. Take all files from one data set.")


def _random_share(clips: int, seed: int) -> Tensor:
    """Return a bool mask [N] that selects a random fifth of the clips, at least one."""
    order = torch.randperm(clips, generator=torch.Generator().manual_seed(seed))
    chosen = torch.zeros(clips, dtype=torch.bool)
    chosen[order[: max(round(_VALID_SHARE * clips), 1)]] = True
    return chosen


def _one_speaker(clips: SpikeClips, seed: int, path: Path) -> Tensor:
    speakers = [] if clips.speaker is None else sorted(set(clips.speaker.tolist()))
    if clips.speaker is None or len(speakers) < 2:
        raise InputError(f'{path}: expected clips of at least two speakers in extra/speaker, got {len(speakers)}. Use held_out="random".')
    return clips.speaker.eq(speakers[seed % len(speakers)])


def _dataset(clips: SpikeClips, dt_ms: float) -> Dataset:
    return Dataset(clips.counts, clips.word, clips.words, dt_ms)
