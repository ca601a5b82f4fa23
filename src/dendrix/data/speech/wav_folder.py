"""Your own recordings: a folder with one sub-folder of wav files for each class."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ...core import expect_in
from ...errors import InputError
from ..base import Dataset, Splits
from ..encoder import Encoder
from ..pack import data_root
from .wav_files import encode_files

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")

_TITLE = "Wav folder"
_NAMED = 3
"""Files that do not belong are named in the message up to this number."""


@dataclass(frozen=True)
class WavClips:
    """The recordings of a folder; nothing is read yet.

    Args:
        base: the folder.
        names: of the files, relative to it, sorted.
        label: the class of each, int64 [N].
        labels: the names of the classes, sorted.
    """

    base: Path
    names: list[str]
    label: Tensor
    labels: tuple[str, ...]

    def encode(self, encoder: Encoder, *, longest_s: float = 60.0, cache: bool = True) -> Dataset:
        """All clips, in this order; the arguments and errors are those of `encode_files`."""
        x = encode_files(self.base, self.names, encoder, longest_s=longest_s, cache=cache)
        return Dataset(x, self.label, self.labels, encoder.dt_ms)


def wav_folder(
    encoder: Encoder,
    root: str | Path | None = None,
    *,
    valid: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    speaker_mark: str = "_nohash_",
    longest_s: float = 60.0,
    cache: bool = True,
) -> Splits[Dataset]:
    """A folder of your own, split into three parts and encoded. Files may differ in rate, sample format and length.

    Where the file names tell the speaker, speakers are split, so that none is in two parts; otherwise the clips of each class are.

    Args:
        encoder: what the network hears with.
        root: the folder, as in `find_wavs`.
        valid, test: the shares of these parts, of which each gets at least one.
        seed: of the split.
        speaker_mark: what follows the speaker in a file name, as in `ann_nohash_0.wav` of the Speech Commands.
        longest_s: refuse longer clips.
        cache: keep the encoded clips on disk (see `data.cache`).
    Raises:
        OSError, ValueError: as in `find_wavs` and `encode_files`, there are less than three speakers or clips of a class, only some
            names tell the speaker, or a class has no clip for training.
        ImportError: soundfile is missing, or soxr where rates differ.
    """
    expect_in(valid, "(0, 1)", "valid")
    expect_in(test, "(0, 1)", "test")
    expect_in(valid + test, "(0, 1)", "valid + test")
    clips = find_wavs(root)
    chosen = _split(clips, valid, test, seed, speaker_mark)
    known = set(clips.label[chosen["train"]].tolist())
    if untaught := [label for i, label in enumerate(clips.labels) if i not in known]:
        raise InputError(
            f"{clips.base}: expected training clips of every class, got none of {', '.join(untaught)}. Record more, or try another seed."
        )
    data = clips.encode(encoder, longest_s=longest_s, cache=cache)
    return Splits(*(data.subset(members) for members in chosen.values()))


def find_wavs(root: str | Path | None = None, classes: int = 2) -> WavClips:
    """The recordings of a folder by class, without reading them.

    Args:
        root: a folder with one sub-folder for each class, in which there are wav files only. Sub-folders whose names begin with a dot or
            an underscore, hidden files, and files beside the sub-folders are not looked at. None takes the folder named by the
            environment variable DENDRIX_DATA.
        classes: how many there must be at least; to learn from, two.
    Raises:
        OSError: the folder is not there or may not be read.
        ValueError: it holds fewer classes, a class without clips, or other files among the clips.
    """
    base = data_root(root, _TITLE, "Make a folder with one sub-folder of wav files for each class")
    if not base.is_dir():
        raise NotADirectoryError(f"{base}: expected a folder with one sub-folder of wav files for each class, got a file. Check the path.")
    labels = sorted(entry.name for entry in os.scandir(base) if entry.is_dir() and entry.name[0] not in "._")
    if len(labels) < classes:
        least = f"at least {'two classes' if classes == 2 else 'one class'}"
        raise InputError(f"{base}: expected a sub-folder of wav files for each of {least}, got {len(labels)}. Check the path.")
    found = [_wavs(base / label) for label in labels]
    names = [f"{label}/{name}" for label, wavs in zip(labels, found, strict=True) for name in wavs]
    label = torch.repeat_interleave(torch.arange(len(labels)), torch.tensor([len(wavs) for wavs in found]))
    return WavClips(base, names, label, tuple(labels))


def _wavs(folder: Path) -> list[str]:
    """The names of the wav files, sorted; anything else is refused."""
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    if not names:
        raise InputError(f"{folder}: expected wav files of this class, got an empty folder. Record some, or remove the folder.")
    if others := [name for name in names if not name.lower().endswith(".wav") or not (folder / name).is_file()]:
        more = ", ..." if len(others) > _NAMED else ""
        raise InputError(
            f"{folder}: expected wav files only, got {len(others)} of another kind: {', '.join(others[:_NAMED])}{more}. "
            "Convert them to wav, or move them away."
        )
    return names


def _split(clips: WavClips, valid: float, test: float, seed: int, speaker_mark: str) -> dict[str, Tensor]:
    """Which clips are in each part, bool [N] by its name."""
    told = [name.rpartition("/")[2].partition(speaker_mark) for name in clips.names]
    speakers = [speaker for speaker, mark, _ in told if mark]
    if speakers and len(speakers) < len(told):
        odd = next(name for name, (_, mark, _) in zip(clips.names, told, strict=True) if not mark)
        raise InputError(f"{clips.base}: expected a speaker before '{speaker_mark}' in all file names or in none, got {odd}. Rename it.")
    part: dict[str, Part] = {}
    if speakers:
        part = _deal(set(speakers), valid, test, seed, f"{clips.base}: expected at least three speakers")
    else:
        for label in clips.labels:
            own = {name for name in clips.names if name.startswith(f"{label}/")}
            part |= _deal(own, valid, test, seed, f"{clips.base / label}: expected at least three clips")
    parts = [part[name] for name in speakers or clips.names]
    return {name: torch.tensor([name == other for other in parts]) for name in PARTS}


def _deal(names: set[str], valid: float, test: float, seed: int, complaint: str) -> dict[str, Part]:
    """A part for each name: the order is that of seeded hashes, so it hardly changes when names are added."""
    if len(names) < len(PARTS):
        raise InputError(f"{complaint}, one for each of {', '.join(PARTS)}, got {len(names)}. Record more.")
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    tests, valids = (max(round(share * len(order)), 1) for share in (test, valid))
    return {name: "test" if i < tests else "valid" if i < tests + valids else "train" for i, name in enumerate(order)}
