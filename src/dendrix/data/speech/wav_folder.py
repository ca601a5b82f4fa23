"""Folders of recordings: one sub-folder of wav files per class."""

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
"""Largest number of unexpected files that an error message names."""


@dataclass(frozen=True)
class WavClips:
    """Recordings of a folder by class, not yet read.

    Args:
        base: the folder.
        names: names of the files, relative to `base`, sorted.
        label: class of each file, int64 [N].
        labels: names of the classes, sorted.
    """

    base: Path
    names: list[str]
    label: Tensor
    labels: tuple[str, ...]

    def encode(self, encoder: Encoder, *, longest_s: float = 60.0, cache: bool = True) -> Dataset:
        """Encode all clips, in this order. Arguments and errors as in `encode_files`."""
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
    """Split a folder of recordings into training, validation and test data, and encode it.

    Files may differ in sampling rate, sample format and length. If the file names contain the speaker, the splits have disjoint speakers;
    otherwise the clips of each class are split.

    Args:
        encoder: encoder to apply.
        root: the folder, as in `find_wavs`.
        valid, test: fractions of the speakers, or of the clips of each class, for validation and testing; at least one each.
        seed: seed of the split.
        speaker_mark: text after the speaker in a file name, as in `ann_nohash_0.wav` of the Speech Commands.
        longest_s: longest accepted duration, in s.
        cache: keep the encoded clips on disk (see `data.cache`), so that each encoder processes them once.
    Raises:
        OSError, InputError: as in `find_wavs` and `encode_files`, there are fewer than three speakers or clips of a class, only some file
            names contain a speaker, or a class has no training clip.
        MissingExtraError: soundfile is not installed, or soxr if the sampling rates differ.
    """
    expect_in(valid, "(0, 1)", "valid")
    expect_in(test, "(0, 1)", "test")
    expect_in(valid + test, "(0, 1)", "valid + test")
    clips = find_wavs(root)
    chosen = _split(clips, valid, test, seed, speaker_mark)
    known = set(clips.label[chosen["train"]].tolist())
    if untrained := [label for i, label in enumerate(clips.labels) if i not in known]:
        raise InputError(
            f"{clips.base}: expected training clips of every class, got none of {', '.join(untrained)}. Record more, or try another seed."
        )
    data = clips.encode(encoder, longest_s=longest_s, cache=cache)
    return Splits(*(data.subset(members) for members in chosen.values()))


def find_wavs(root: str | Path | None = None, classes: int = 2) -> WavClips:
    """List the recordings of a folder by class, without reading them.

    Args:
        root: folder with one sub-folder of wav files per class. Sub-folders whose names begin with a dot or an underscore, hidden files,
            and files next to the sub-folders are ignored. None takes the folder named by the environment variable DENDRIX_DATA.
        classes: smallest accepted number of classes; training needs two.
    Raises:
        OSError: the folder does not exist or cannot be opened.
        InputError: it contains fewer classes, a class without clips, or other files among the clips.
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
    """Return the sorted names of the wav files of a folder; raises InputError for other files."""
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    if not names:
        raise InputError(f"{folder}: expected wav files of this class, got an empty folder. Add files, or remove the folder.")
    if others := [name for name in names if not name.lower().endswith(".wav") or not (folder / name).is_file()]:
        more = ", ..." if len(others) > _NAMED else ""
        raise InputError(
            f"{folder}: expected wav files only, got {len(others)} of another kind: {', '.join(others[:_NAMED])}{more}. "
            "Convert them to wav, or move them elsewhere."
        )
    return names


def _split(clips: WavClips, valid: float, test: float, seed: int, speaker_mark: str) -> dict[str, Tensor]:
    """Return a bool mask [N] of the clips of each split, by its name."""
    parted = [name.rpartition("/")[2].partition(speaker_mark) for name in clips.names]
    speakers = [speaker for speaker, mark, _ in parted if mark]
    if speakers and len(speakers) < len(parted):
        odd = next(name for name, (_, mark, _) in zip(clips.names, parted, strict=True) if not mark)
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
    """Assign a split to each name in the order of seeded hashes, so that most assignments stay the same when names are added."""
    if len(names) < len(PARTS):
        raise InputError(f"{complaint}, one for each of {', '.join(PARTS)}, got {len(names)}. Record more.")
    order = sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    tests, valids = (max(round(share * len(order)), 1) for share in (test, valid))
    return {name: "test" if i < tests else "valid" if i < tests + valids else "train" for i, name in enumerate(order)}
