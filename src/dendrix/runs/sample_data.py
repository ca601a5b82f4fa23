"""The samples that come with a shipped network, as data for it."""

from pathlib import Path

import torch

from ..data import Dataset, ImageDataset
from ..data.base import Labelled
from ..data.speech.audio import read_sound
from ..run_folder.checkpoint import Checkpoint
from ..samples import find_sample, samples
from .pictures import read_pictures
from .prediction import encoder_of


def sample_data(checkpoint: Checkpoint, folder: Path) -> Labelled:
    """Return the recordings or drawings for a shipped network, in the form that it takes.

    Args:
        checkpoint: the network.
        folder: its run folder, whose name is that of the network.
    """
    files = [find_sample(name) for name in samples(folder.name)]
    names = [file.stem.partition("_")[0].replace("-", " ") for file in files]
    y = torch.tensor([checkpoint.labels.index(name) for name in names])
    if checkpoint.encoder is None:
        return ImageDataset(read_pictures(checkpoint, folder, files).x, y, checkpoint.labels)
    encoder = encoder_of(checkpoint)
    return Dataset([encoder(*read_sound(file)) for file in files], y, checkpoint.labels, encoder.dt_ms)
