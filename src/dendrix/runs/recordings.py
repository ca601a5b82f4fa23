"""A trained network and recordings of your own."""

from dataclasses import replace
from pathlib import Path

import torch

from ..data import find_wavs, loader
from ..errors import InputError
from ..run_folder.checkpoint import load_checkpoint
from ..train.metrics import Scores
from .opened import Opened
from .prediction import encoder_of


def open_recordings(run: Path, folder: Path) -> Opened:
    """The network of a run, with integer delays, and a folder with one sub-folder of wav files for each class.

    Args:
        run: the run folder, or the name of a network that comes with dendrix.
        folder: the recordings; each sub-folder has the name of a class of the network, which need not all occur. Rates may differ.
    Raises:
        OSError: a folder or file is not there or may not be read.
        ValueError: the network was not trained on sound; a class is none of its own, or has no clip; a clip is damaged or longer than 60 s.
    """
    checkpoint = load_checkpoint(run)
    encoder = encoder_of(checkpoint)
    clips = find_wavs(folder, classes=1)
    if strange := [label for label in clips.labels if label not in checkpoint.labels]:
        raise InputError(
            f"{folder}: expected folders of classes that the network knows, {', '.join(checkpoint.labels)}, got {', '.join(strange)}. "
            "Rename or move them."
        )
    known = torch.tensor([checkpoint.labels.index(label) for label in clips.labels])
    data = replace(clips.encode(encoder), y=known[clips.label], labels=checkpoint.labels)
    return Opened(checkpoint, data, loader(data, 64, tail_steps=checkpoint.decision.tail_steps(encoder.dt_ms)))


def evaluate_recordings(run: Path, folder: Path) -> Scores:
    """Score the network of a run on recordings of your own; see `open_recordings`."""
    return open_recordings(run, folder).score()
