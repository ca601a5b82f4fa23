"""Facts about this installation, for `dendrix info`."""

import os
from typing import Any

import torch

from ..core.dispatch import known_kernels
from ..data.speech.fsdd import fsdd_recordings
from ..run_folder.record import environment


def describe() -> dict[str, Any]:
    """Return versions, device, kernels and data of this installation."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {**environment(device), "kernels": known_kernels(), "data": _data_found()}


def _data_found() -> str:
    root = os.environ.get("DENDRIX_DATA")
    if root is None:
        return "DENDRIX_DATA is not set; the digits are part of scikit-learn, fsdd needs a folder"
    try:
        clips = fsdd_recordings(root)
    except (OSError, ValueError) as error:
        return str(error)
    return f"{root}: {len(clips.waves)} clips of fsdd"
