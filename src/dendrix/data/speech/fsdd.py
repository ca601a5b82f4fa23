"""Free Spoken Digit Dataset: spoken English digits, 8 kHz, 50 takes (recordings) of each digit by each speaker.

Zohar Jackson and others, https://github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0.
Official split: takes 0 to 4 for testing, the others for training; takes 5 to 9 are used for validation here. Alternatively, one speaker is
held out for testing.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...core import expect_one_of
from ...errors import InputError
from ..base import Dataset, Splits
from ..cache import encode_all
from ..cochlea.model import Cochlea
from ..encoder import Encoder
from ..pack import data_root, ranges, read_pack
from .audio import Wave, read_wav

DIGITS = tuple("0123456789")

FSDD_COCHLEA = Cochlea(f_max=4_000.0)
"""Spike encoder for this data set, with all cells below its Nyquist frequency of 4 kHz.

Gain and quality factor were chosen on training and validation takes. The gain is automatic because one speaker is ten times softer than the
others.
"""

_NAME = re.compile(r"(\d)_(\w+)_(\d+)\.wav")
_PLACES = ("", "fsdd.npz", "speech/fsdd.npz", "fsdd", "recordings", "free-spoken-digit-dataset/recordings")


@dataclass(frozen=True)
class Recordings:
    """Clips with their labels.

    Args:
        waves: samples of each clip, float32 [N_i].
        rate: sampling rate of all clips, in Hz.
        digit: class of each clip, int64 [N].
        take: number of the recording, int64 [N], which determines the split.
        speaker: name of the speaker of each clip.
    """

    waves: list[Wave]
    rate: int
    digit: NDArray[np.int64]
    take: NDArray[np.int64]
    speaker: list[str]


def fsdd(encoder: Encoder, root: str | Path | None = None, *, held_out_speaker: str | None = None, cache: bool = True) -> Splits[Dataset]:
    """Load the official split, or one with a held-out speaker, and encode it.

    Args:
        encoder: encoder to apply.
        root: as in `fsdd_recordings`.
        held_out_speaker: None: takes 0-4 for testing, 5-9 for validation, the others for training. A name: all clips of that speaker for
            testing, takes 5-9 of the others for validation, and the rest for training.
        cache: keep the encoded clips on disk (see `data.cache`), so that each encoder processes them once.
    Raises:
        OSError, InputError: as in `fsdd_recordings`, the speaker is unknown, or a split has no clip.
        MissingExtraError: soundfile is not installed, or soxr if the sampling rates differ.
    """
    clips = fsdd_recordings(root)
    parts = _official(clips) if held_out_speaker is None else _unheard(clips, held_out_speaker)
    for name, part in parts.items():
        if not part.any():
            raise InputError(f"FSDD: expected recordings of the {name}, got none among {len(part)} clips. Get the whole data set.")
    x = encode_all(clips.waves, clips.rate, encoder, cache=cache)
    speaker = torch.from_numpy(np.unique(clips.speaker, return_inverse=True)[1])
    data = Dataset(x, torch.from_numpy(clips.digit), DIGITS, encoder.dt_ms, speaker)
    return Splits(*(data.subset(torch.from_numpy(part)) for part in parts.values()))


def _official(clips: Recordings) -> dict[str, NDArray[np.bool_]]:
    take = clips.take
    return {"training takes from 10": take >= 10, "validation takes 5-9": _validation(clips), "test takes 0-4": take < 5}


def _unheard(clips: Recordings, speaker: str) -> dict[str, NDArray[np.bool_]]:
    test, valid = np.array(clips.speaker) == expect_one_of(speaker, sorted(set(clips.speaker)), "held_out_speaker"), _validation(clips)
    return {"other speakers' takes": ~test & ~valid, "other speakers' validation takes 5-9": ~test & valid, f"speaker {speaker}": test}


def _validation(clips: Recordings) -> NDArray[np.bool_]:
    return (clips.take >= 5) & (clips.take < 10)


def fsdd_recordings(root: str | Path | None = None) -> Recordings:
    """Read the clips without encoding them.

    Args:
        root: folder with the published files `{digit}_{speaker}_{take}.wav`, the file `fsdd.npz`, or a folder that contains either. None
            takes the folder named by the environment variable DENDRIX_DATA.
    Raises:
        FileNotFoundError: no path is given, or it contains neither.
        OSError: a file or folder cannot be opened.
        InputError: a file is damaged, or the files differ in sampling rate.
        MissingExtraError: soundfile is not installed.
    """
    place = _find(root)
    return _read_pack(place) if place.is_file() else _read_folder(place)


def _find(root: str | Path | None) -> Path:
    base = data_root(root, "FSDD", "Clone https://github.com/Jakobovski/free-spoken-digit-dataset")
    for place in (base / name for name in _PLACES):
        if place.is_file() or (place.is_dir() and any(_NAME.fullmatch(name) for name in os.listdir(place))):
            return place
    raise FileNotFoundError(
        f"FSDD: expected wav files named like 7_jackson_0.wav or a file fsdd.npz in {base}, found neither. Check the path."
    )


def _read_folder(folder: Path) -> Recordings:
    names = sorted((*match.groups(), match.string) for name in os.listdir(folder) if (match := _NAME.fullmatch(name)))
    read = [read_wav(folder / name) for *_, name in names]
    rates = {rate for _, rate in read}
    if len(rates) > 1:
        raise InputError(
            f"FSDD: expected one sampling rate in {folder}, got {', '.join(map(str, sorted(rates)))} Hz. Resample the files to one rate."
        )
    digit, take = (np.array([int(name[i]) for name in names]) for i in (0, 2))
    return Recordings([wave for wave, _ in read], rates.pop(), digit, take, [name[1] for name in names])


def _read_pack(path: Path) -> Recordings:
    """Read the pack: first differences of the int16 samples in two byte planes, `lo` and `hi`, split at `offsets`."""
    whole = ("lo", "hi", "offsets", "labels", "take", "speaker")
    pack = read_pack(path, "FSDD", (*whole, "speakers"), whole)
    ends = ranges(path, pack["offsets"], len(pack["lo"]), pack["labels"], pack["take"], pack["speaker"])
    try:
        difference = np.stack([pack["lo"], pack["hi"]], 1).view("<i2")[:, 0]
        samples = np.cumsum(difference, dtype="<i2").astype(np.float32) / 32768
        speaker = [str(pack["speakers"][i]) for i in pack["speaker"]]
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(f"{path}: expected the FSDD pack, but its arrays do not match ({error}). Copy it again.") from error
    waves: list[Wave] = np.split(samples, ends[1:-1])
    return Recordings(waves, 8000, pack["labels"].astype(np.int64), pack["take"].astype(np.int64), speaker)
