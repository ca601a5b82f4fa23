"""Backbones of runs: the file that teaching needs beside a trained network, and coders that use it."""

from pathlib import Path

import numpy as np

from ..core.trust import Trust
from ..data.base import Dataset
from ..errors import InputError
from ..exits.network import fingerprint
from ..pretrained import find_run
from ..run_folder.checkpoint import Checkpoint, load_checkpoint
from ..teach import Backbone, Coder, CodeSettings, Vocabulary, features_and_looks, fit_backbone, source_of
from .opened import open_run
from .prediction import encoder_of

BACKBONE = "teach.safetensors"
"""Name of the file in the folder of the run."""


def make_backbone(
    run: str | Path,
    settings: CodeSettings | None = None,
    *,
    root: Path | None = None,
    clips: int = 2000,
    trust: Trust = None,
) -> Backbone:
    """Compute the backbone of a run from its training data.

    Args:
        run: folder of a run on sound, or the name of a shipped network.
        settings: how spikes become a code.
        root: folder of the training data, if it has moved.
        clips: largest number of codes that is kept as background.
        trust: as in `open_run`.
    Raises:
        OSError: the run or its data are missing or not readable.
        InputError: the run was not trained on sound of at least 4 words.
    """
    opened = open_run(run, "train", root=root, trust=trust)
    encoder, settings = encoder_of(opened.checkpoint), settings or CodeSettings()
    data = opened.data
    if not isinstance(data, Dataset):
        raise InputError(f"run: expected a network trained on recordings, got one trained on {type(data).__name__}. Choose another.")
    features, looks = features_and_looks(opened.network, [data[i][0] for i in range(len(data))], encoder.dt_ms, settings)
    speaker = np.arange(len(data)) if data.speaker is None else data.speaker.numpy()
    network = fingerprint(opened.network)
    return fit_backbone(features, data.y.numpy(), speaker, data.labels, settings, looks=looks, clips=clips, network=network)


def open_vocabulary(path: Path, run: str | Path | None = None, trust: Trust = None) -> tuple[Vocabulary, Coder]:
    """Open a vocabulary with its network.

    Args:
        path: file of the vocabulary; if it does not exist, the vocabulary is empty.
        run: folder of the network, or the name of a shipped one; None takes the one that the vocabulary names.
        trust: as in `open_run`.
    Raises:
        OSError: a file is not readable.
        InputError: the vocabulary is damaged or of another backbone, or it does not exist and no network is given.
    """
    if run is None and not path.exists():
        raise InputError(f"{path}: expected a vocabulary, but it does not exist. Teach a word first: dendrix teach add.")
    source = str(run or source_of(path))
    coder = open_coder(source, trust=trust)
    return (Vocabulary.load(path, coder.backbone) if path.exists() else Vocabulary(coder.backbone, source)), coder


def open_coder(run: str | Path, backbone: Path | None = None, trust: Trust = None) -> Coder:
    """Open a network with its backbone.

    Args:
        run: folder of the run, or the name of a shipped network.
        backbone: file of the backbone; by default the one in the folder.
        trust: as in `open_run`.
    Raises:
        OSError: the run is missing or not readable.
        InputError: it has no backbone, or that of another network.
    """
    folder = find_run(run)
    checkpoint: Checkpoint = load_checkpoint(folder, trust=trust)
    path = backbone or folder / BACKBONE
    if not path.exists():
        raise InputError(f"{path}: expected the backbone of the network, found none. Compute it: dendrix teach backbone {run}")
    return Coder(checkpoint.model, encoder_of(checkpoint), Backbone.load(path))
