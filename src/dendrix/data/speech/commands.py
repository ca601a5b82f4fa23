"""Arabic Speech Commands: 40 spoken keywords, 16 kHz, one second each, 10 takes of each word by each of 30 speakers.

Ghandoura, Hjabo & Al Dakkak (2021), https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset, CC BY 4.0.
The official splits share no speaker. Read here from a pack of Ogg Opus clips: the compression loses a little of the sound.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ...core import expect_one_of
from ...errors import InputError
from ..base import Dataset, Splits
from ..cache import encode_all
from ..encoder import Encoder
from ..pack import data_root, read_pack
from .audio import Wave, decode_audio

TWENTY_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("yes", "no", "up", "down", "left", "right", "start", "stop", "open", "close"),
)
"""The words that the usual keyword tasks have too, by their English names."""

RATE = 16_000
_TITLE = "Arabic commands"
_PLACES = ("", "arabic_commands40.npz", "speech/arabic_commands40.npz")
_KEYS = ("ogg", "offsets", "labels", "speaker", "split", "classes")
_PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class CodedClips:
    """The clips as they are stored.

    Args:
        clips: one Ogg Opus stream each, uint8 [M_i]; `decode_command` makes a wave of it.
        word: the class of each, int64 [N].
        speaker: who spoke it, int64 [N].
        split: 0 for training, 1 for validation, 2 for testing, int64 [N].
        words: the names of the classes, in English.
    """

    clips: list[NDArray[np.uint8]]
    word: NDArray[np.int64]
    speaker: NDArray[np.int64]
    split: NDArray[np.int64]
    words: tuple[str, ...]


def commands(encoder: Encoder, root: str | Path | None = None, *, words: Literal[40, 20] = 40, cache: bool = True) -> Splits[Dataset]:
    """The official speaker-disjoint split, encoded.

    Args:
        encoder: what the network hears with.
        root: as in `command_clips`.
        words: all 40, or the 20 of `TWENTY_WORDS`.
        cache: keep the encoded clips on disk (see `data.cache`); they are decoded and encoded once for each encoder.
    Raises:
        OSError, ValueError: as in `command_clips`, a clip cannot be decoded, or a part of the split has no clip.
        ImportError: soundfile is missing.
    """
    expect_one_of(str(words), ("40", "20"), "words")
    coded = command_clips(root)
    if words == 20:
        coded = _only(coded, TWENTY_WORDS)
    split = torch.from_numpy(coded.split)
    for number, name in enumerate(_PARTS):
        if not (split == number).any():
            raise InputError(f"{_TITLE}: expected {name} clips, split {number}, got none among {len(split)} clips. Fetch the whole pack.")
    x = encode_all(coded.clips, RATE, encoder, decode=decode_command, cache=cache)
    data = Dataset(x, torch.from_numpy(coded.word), coded.words, encoder.dt_ms)
    return Splits(*(data.subset(split == number) for number in range(len(_PARTS))))


def command_clips(root: str | Path | None = None) -> CodedClips:
    """Read the pack; nothing is decoded yet.

    Args:
        root: the file `arabic_commands40.npz` or a folder that holds it. None takes the folder named by the environment variable
            DENDRIX_DATA.
    Raises:
        FileNotFoundError: no root is given, or the file is not there.
        OSError: it may not be read.
        ValueError: it is damaged.
    """
    base = data_root(root, _TITLE, "Get arabic_commands40.npz")
    found = next((place for place in (base / name for name in _PLACES) if place.is_file()), None)
    if found is None:
        raise FileNotFoundError(f"{_TITLE}: expected a file arabic_commands40.npz in {base}, found none. Check the path.")
    pack = read_pack(found, _TITLE, _KEYS)
    ends = pack["offsets"]
    word, speaker, split = (pack[name].astype(np.int64) for name in ("labels", "speaker", "split"))
    lengths = {len(ends) - 1, len(word), len(speaker), len(split)}
    if len(lengths) > 1 or ends[0] != 0 or ends[-1] != len(pack["ogg"]) or (np.diff(ends) <= 0).any():
        raise InputError(
            f"{found}: expected a word, a speaker, a split and a stretch of sound for each clip; they do not fit. Copy it again."
        )
    return CodedClips(np.split(pack["ogg"], ends[1:-1]), word, speaker, split, tuple(map(str, pack["classes"])))


def decode_command(clip: NDArray[np.uint8]) -> Wave:
    """The sound of one clip, [N] at 16 kHz.

    Raises:
        ValueError: it is damaged or of another rate.
    """
    wave, rate = decode_audio(clip.tobytes(), f"{_TITLE}: a clip")
    if rate != RATE:
        raise InputError(f"{_TITLE}: expected clips at {RATE} Hz, got {rate} Hz. Copy the pack again.")
    return wave


def _only(coded: CodedClips, wanted: tuple[str, ...]) -> CodedClips:
    """The clips of some words, which become the classes 0, 1, ... in that order."""
    if missing := sorted(set(wanted) - set(coded.words)):
        raise InputError(f"{_TITLE}: expected the words {', '.join(missing)}, which the pack lacks. Use words=40, or fetch the whole pack.")
    place = {coded.words.index(name): number for number, name in enumerate(wanted)}
    kept = np.flatnonzero(np.isin(coded.word, list(place)))
    word = np.array([place[old] for old in coded.word[kept].tolist()])
    return CodedClips([coded.clips[i] for i in kept], word, coded.speaker[kept], coded.split[kept], wanted)
