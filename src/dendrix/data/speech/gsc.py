"""Google Speech Commands v0.02: 35 spoken words, 105,829 clips of up to one second at 16 kHz.

Warden (2018), arXiv 1804.03209, CC BY 4.0. The archive contains one folder per word and the lists of the validation and test clips; the
three splits have disjoint speakers. Folders whose names begin with an underscore contain noise and are not used.
"""

import os
from pathlib import Path

import torch

from ...errors import InputError
from ..base import Dataset, Splits
from ..encoder import Encoder
from ..pack import data_root
from .wav_files import encode_files

WORDS = (
    *("backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward", "four", "go"),
    *("happy", "house", "learn", "left", "marvin", "nine", "no", "off", "on", "one", "right", "seven"),
    *("sheila", "six", "stop", "three", "tree", "two", "up", "visual", "wow", "yes", "zero"),
)

_TITLE = "Speech Commands"
_PLACES = ("", "speech_commands_v0.02", "SpeechCommands/speech_commands_v0.02", "speech/speech_commands_v0.02")
_VALID_LIST, _TEST_LIST = "validation_list.txt", "testing_list.txt"


def speech_commands(
    encoder: Encoder, root: str | Path | None = None, *, exactly_s: float | None = None, cache: bool = True
) -> Splits[Dataset]:
    """Load the official splits and encode them.

    Args:
        encoder: encoder to apply. All clips with 40 channels at 10 ms take 1.7 GB of memory.
        root: folder extracted from the archive, or its parent. None takes the folder named by the environment variable DENDRIX_DATA.
        exactly_s: length to which every clip is cut or zero-padded, in s; published results use 1. None keeps the lengths.
        cache: keep the encoded clips on disk (see `data.cache`), so that each encoder processes them once.
    Raises:
        OSError: a folder or file is missing or cannot be opened.
        InputError: a listed clip is missing or in two lists, a split is empty, or a clip is damaged.
        MissingExtraError: soundfile is not installed, or soxr if the sampling rates differ.
    """
    base = _find(root)
    names = [f"{word}/{name}" for word in WORDS for name in sorted(os.listdir(base / word)) if name.endswith(".wav")]
    place = {name: i for i, name in enumerate(names)}
    part = torch.zeros(len(names), dtype=torch.long)
    for number, file in enumerate((_VALID_LIST, _TEST_LIST), 1):
        listed = (base / file).read_text("utf-8", "replace").split()
        if absent := [name for name in listed if name not in place]:
            raise InputError(
                f"{base / file}: expected {absent[0]} and {len(absent) - 1} other files, which are missing. Unpack the whole archive again."
            )
        rows = torch.tensor([place[name] for name in listed], dtype=torch.long)
        if part[rows].any():
            raise InputError(
                f"{base / file}: expected clips that are in no other list, got some from {_VALID_LIST}. Unpack the archive again."
            )
        part[rows] = number
    for number, title in enumerate(("training", "validation", "testing")):
        if not (part == number).any():
            raise InputError(f"{base}: expected clips for {title}, got none. Unpack the whole archive again.")
    x = encode_files(base, names, encoder, exactly_s=exactly_s, cache=cache)
    y = torch.tensor([WORDS.index(name.partition("/")[0]) for name in names])
    data = Dataset(x, y, WORDS, encoder.dt_ms)
    return Splits(*(data.subset(part == number) for number in range(3)))


def _find(root: str | Path | None) -> Path:
    base = data_root(root, _TITLE, "Get and unpack speech_commands_v0.02.tar.gz with dendrix fetch speech-commands,")
    folder = next((base / place for place in _PLACES if (base / place / _TEST_LIST).is_file()), None)
    if folder is None or not (folder / _VALID_LIST).is_file():
        raise FileNotFoundError(
            f"{_TITLE}: expected {_VALID_LIST} and {_TEST_LIST} next to the folders of the words in {folder or base}, found not both. "
            "Check the path, or get them with dendrix fetch speech-commands."
        )
    if missing := [word for word in WORDS if not (folder / word).is_dir()]:
        raise FileNotFoundError(
            f"{folder}: expected a folder for each of 35 words, found no {', '.join(missing)}. Unpack the whole archive."
        )
    return folder
