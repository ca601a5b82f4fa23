"""Your own data for a trained network: arrays, folders of recordings or images, tables of sentences."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch

from ..data import find_wavs
from ..data.arrays import read_arrays
from ..data.base import Labelled
from ..data.images.folder import find_images
from ..data.text.sentences import Sentences, read_rows
from ..data.text.token_sentences import encoded_sentences
from ..errors import InputError
from ..run_folder.checkpoint import Checkpoint
from ..run_folder.record import RUN, read_record
from .pictures import image_shape
from .prediction import encoder_of

_TABLES = (".csv", ".tsv", ".jsonl")
_LONGEST = 512
"""Longest sentence in tokens, if the run does not record it."""


def own_data(checkpoint: Checkpoint, folder: Path, path: Path) -> Labelled:
    """Read your own data in the form that the network takes. Their classes must be among those of the network.

    Args:
        checkpoint: the network.
        folder: its run, which records the size of images and the tokenizer.
        path: an `.npz` of arrays (see `dendrix.data.read_arrays`), a folder with one sub-folder of wav files or of images for each class,
            or a table of sentences (.csv, .tsv, .jsonl) with the columns text and label.
    Raises:
        OSError: the data are missing or not readable.
        InputError: the data are of another kind than the network takes, are damaged, or have a class unknown to the network.
    """
    if path.suffix == ".npz":
        return _known(read_arrays(path, labels=checkpoint.labels or None), checkpoint, path)
    if path.suffix.lower() in _TABLES:
        return _sentences(checkpoint, folder, path)
    if path.is_file():
        raise InputError(f"{path}: expected an .npz, a folder of wav files or images, or a .csv, .tsv or .jsonl, got another file.")
    if checkpoint.encoder is not None:
        encoder = encoder_of(checkpoint)
        return _known(find_wavs(path, classes=1).encode(encoder), checkpoint, path)
    channels, height, width = image_shape(checkpoint, folder)
    if height != width or channels != 3:
        raise InputError(
            f"{path}: expected images [{channels}, {height}, {width}], got a folder, whose images are read as colour squares. "
            "Save them as an .npz with x and y."
        )
    return _known(find_images(path, height), checkpoint, path)


def _sentences(checkpoint: Checkpoint, folder: Path, path: Path) -> Labelled:
    from ..models.spikegpt.hf_files import load_classifier  # imported late because transformers is optional

    if not (folder / "tokenizer.json").is_file():
        raise InputError(f"{path}: expected data for a network that does not read sentences, got a table of sentences. Give other data.")
    _, _, _, tokenizer = load_classifier(folder)
    rows = read_rows(path)
    labels = tuple(sorted({row.label for row in rows}))
    sentences = Sentences(tuple(row.text for row in rows), torch.tensor([labels.index(row.label) for row in rows]), labels)
    longest: int = read_record(folder)["recipe"]["data"].get("max_tokens", _LONGEST) if (folder / RUN).is_file() else _LONGEST
    return _known(encoded_sentences(sentences, tokenizer, longest), checkpoint, path)


def _known(data: Any, checkpoint: Checkpoint, path: Path) -> Labelled:
    """Return the data with the classes in the order of the network."""
    if not checkpoint.labels or data.labels == checkpoint.labels:
        return cast(Labelled, data)
    if strange := [label for label in data.labels if label not in checkpoint.labels]:
        raise InputError(
            f"{path}: expected the classes of the network, {', '.join(checkpoint.labels)}, got {', '.join(strange)}. Rename or move them."
        )
    known = torch.tensor([checkpoint.labels.index(label) for label in data.labels])
    return cast(Labelled, replace(data, y=known[data.y], labels=checkpoint.labels))
