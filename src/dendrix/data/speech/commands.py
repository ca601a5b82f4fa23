"""Arabic Speech Commands: 40 spoken keywords, 16 kHz, one second per clip, 10 recordings of each word by each of 30 speakers.

Ghandoura, Hjabo & Al Dakkak (2021), https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset, CC BY 4.0.
The official splits have disjoint speakers. The clips are read from a pack in Ogg Opus, a lossy compression.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ...checks import suggestion
from ...core import expect_one_of
from ...errors import InputError
from ..base import Dataset, Splits
from ..cache import encode_all
from ..encoder import Encoder
from ..pack import data_root, ranges, read_pack
from .audio import Wave, decode_audio

TWENTY_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("yes", "no", "up", "down", "left", "right", "start", "stop", "open", "close"),
)
"""Words that also occur in the usual keyword tasks, by their English names."""

RATE = 16_000
_TITLE = "Arabic commands"
_PLACES = ("", "arabic_commands40.npz", "speech/arabic_commands40.npz")
_KEYS = ("ogg", "offsets", "labels", "speaker", "split", "classes")
_PARTS = ("training", "validation", "test")
FOLDS = 3
"""Parts of the speakers in which each is tested on once."""


@dataclass(frozen=True)
class CodedClips:
    """Compressed clips with their labels.

    Args:
        clips: one Ogg Opus stream per clip, uint8 [M_i], decoded by `decode_command`.
        word: class of each clip, int64 [N].
        speaker: speaker of each clip, int64 [N].
        split: split of each clip, int64 [N]: 0 for training, 1 for validation, 2 for testing.
        words: names of the classes, in English.
    """

    clips: list[NDArray[np.uint8]]
    word: NDArray[np.int64]
    speaker: NDArray[np.int64]
    split: NDArray[np.int64]
    words: tuple[str, ...]


def commands(
    encoder: Encoder,
    root: str | Path | None = None,
    *,
    words: Literal[40, 20] = 40,
    without: Collection[str] = (),
    fold: int | None = None,
    cache: bool = True,
) -> Splits[Dataset]:
    """Load the official, speaker-disjoint splits and encode them.

    Args:
        encoder: encoder to apply.
        root: as in `command_clips`.
        words: 40 for all words, 20 for those of `TWENTY_WORDS`.
        without: words that are left out, by their English names, such as those that a network is taught later.
        fold: 0, 1 or 2: test on this third of all speakers, validate on a ninth of them and train on the others; None takes the official
            splits.
        cache: keep the encoded clips on disk (see `data.cache`), so that each encoder processes them once.
    Raises:
        OSError, InputError: as in `command_clips`, a clip cannot be decoded, a split has no clip, or a word to leave out is unknown.
        MissingExtraError: soundfile is not installed, or soxr if the sampling rates differ.
    """
    expect_one_of(str(words), ("40", "20"), "words")
    coded = command_clips(root)
    if words == 20:
        coded = _only(coded, TWENTY_WORDS)
    kept = _remaining(coded.words, without)
    split = torch.from_numpy(coded.split if fold is None else _split(coded.speaker, fold))
    for number, name in enumerate(_PARTS):
        if not (split == number).any():
            raise InputError(f"{_TITLE}: expected {name} clips, split {number}, got none among {len(split)} clips. Get the whole pack.")
    x = encode_all(coded.clips, RATE, encoder, decode=decode_command, cache=cache)
    place = torch.tensor([kept.index(word) if word in kept else -1 for word in coded.words])
    y, known = place[torch.from_numpy(coded.word)], []
    for number in range(len(_PARTS)):
        chosen = ((split == number) & (y >= 0)).nonzero().flatten()
        speaker = torch.from_numpy(coded.speaker)[chosen]
        known.append(Dataset([x[i] for i in chosen.tolist()], y[chosen], kept, encoder.dt_ms, speaker))
    return Splits(*known)


def command_clips(root: str | Path | None = None) -> CodedClips:
    """Read the pack without decoding the clips.

    Args:
        root: the file `arabic_commands40.npz` or a folder that contains it. None takes the folder named by the environment variable
            DENDRIX_DATA.
    Raises:
        FileNotFoundError: no path is given, or the file does not exist.
        OSError: the file cannot be opened.
        InputError: the file is damaged.
    """
    base = data_root(root, _TITLE, "Get arabic_commands40.npz")
    found = next((place for place in (base / name for name in _PLACES) if place.is_file()), None)
    if found is None:
        raise FileNotFoundError(f"{_TITLE}: expected a file arabic_commands40.npz in {base}, found none. Check the path.")
    pack = read_pack(found, _TITLE, _KEYS, [key for key in _KEYS if key != "classes"])
    word, speaker, split = (pack[name].astype(np.int64) for name in ("labels", "speaker", "split"))
    ends = ranges(found, pack["offsets"], len(pack["ogg"]), word, speaker, split)
    classes = tuple(map(str, np.atleast_1d(pack["classes"])))
    if len(word) and not 0 <= word.min() <= word.max() < len(classes):
        raise InputError(f"{found}: expected words 0 to {len(classes) - 1}, got {word.min()} to {word.max()}. Copy it again.")
    return CodedClips(np.split(pack["ogg"], ends[1:-1]), word, speaker, split, classes)


def decode_command(clip: NDArray[np.uint8]) -> Wave:
    """Decode one clip.

    Args:
        clip: Ogg Opus stream, uint8 [M].
    Returns:
        samples [N] at 16 kHz.
    Raises:
        InputError: the clip is damaged or has another sampling rate.
        MissingExtraError: soundfile is not installed.
    """
    wave, rate = decode_audio(clip.tobytes(), f"{_TITLE}: a clip")
    if rate != RATE:
        raise InputError(f"{_TITLE}: expected clips at {RATE} Hz, got {rate} Hz. Copy the pack again.")
    return wave


def _split(speaker: NDArray[np.int64], fold: int) -> NDArray[np.int64]:
    """Split of each clip, by its speaker."""
    if fold not in range(FOLDS):
        raise InputError(f"fold: expected 0 to {FOLDS - 1}, got {fold}.")
    rank = np.unique(speaker, return_inverse=True)[1]
    validation = (fold + 1) % FOLDS
    return np.select([rank % FOLDS == fold, rank % FOLDS**2 == validation], [2, 1], 0).astype(np.int64)


def _remaining(words: tuple[str, ...], without: Collection[str]) -> tuple[str, ...]:
    """The words that are not left out."""
    if unknown := sorted(set(without) - set(words)):
        raise InputError(f"without: expected words of {_TITLE}, got {', '.join(unknown)}.{suggestion(unknown[0], words)}")
    kept = tuple(word for word in words if word not in without)
    if not kept:
        raise InputError("without: expected at least one word that remains, got all of them. Leave fewer out.")
    return kept


def _only(coded: CodedClips, wanted: tuple[str, ...]) -> CodedClips:
    """Select the clips of some words, which become the classes 0, 1, ... in the given order."""
    if missing := sorted(set(wanted) - set(coded.words)):
        raise InputError(f"{_TITLE}: expected the words {', '.join(missing)}, which the pack lacks. Use words=40, or get the whole pack.")
    place = {coded.words.index(name): number for number, name in enumerate(wanted)}
    kept = np.flatnonzero(np.isin(coded.word, list(place)))
    word = np.array([place[old] for old in coded.word[kept].tolist()])
    return CodedClips([coded.clips[i] for i in kept], word, coded.speaker[kept], coded.split[kept], wanted)
