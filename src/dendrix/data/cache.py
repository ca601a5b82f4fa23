"""Disk cache of encoded clips, keyed by the hash of the clips and of the encoder."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ..core.files import write_atomic
from ..folders import cache_folder
from .encoder import Encoder, encoder_to_dict
from .speech.audio import Wave

_VERSION = 2
"""Increment it when the output of an encoder changes for the same fields, so that older files are not used."""


def encode_all(
    clips: Sequence[NDArray[Any]], rate: int, encoder: Encoder, *, decode: Callable[[NDArray[Any]], Wave] = np.asarray, cache: bool = True
) -> list[Tensor]:
    """Encode clips on all cores, or read them from the cache if the same clips and encoder were encoded before.

    The name of the cache file is the hash of the clips, the sampling rate, the encoder and the version of the cache. A damaged file is
    replaced.

    Args:
        clips: waveforms [N_i], or compressed audio that `decode` turns into waveforms.
        rate: sampling rate of the waveforms, in Hz.
        encoder: encoder to apply.
        decode: function that turns a clip into a waveform; it is called only for clips that are encoded.
        cache: if False, the disk is neither read nor written.
    Returns:
        x [T_i, C] of each clip.
    Raises:
        PermissionError: the cache folder cannot be created or written.
    """
    path = cache_folder() / f"{_fingerprint(clips, rate, encoder)}.safetensors"
    if cache:
        if (known := _read(path)) is not None:
            return known
        _check_writable(path.parent)
    console = Console(stderr=True)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        results = pool.map(lambda clip: encoder(decode(clip), rate), clips)
        encoded = list(track(results, "Encoding", len(clips), console=console, transient=True, disable=not console.is_terminal))
    if cache:
        _write(path, encoded)
    return encoded


def _check_writable(folder: Path) -> None:
    """Raise PermissionError unless the folder can be written. Called before encoding, which may take minutes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise PermissionError(
            f"{folder}: expected a writable cache folder, but it cannot be written. Set DENDRIX_CACHE to another one, or use cache=False."
        )


def _fingerprint(clips: Sequence[NDArray[Any]], rate: int, encoder: Encoder) -> str:
    settings = {"version": _VERSION, "rate": rate, "lengths": [len(clip) for clip in clips], **encoder_to_dict(encoder)}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for clip in clips:
        if clip.dtype.kind not in "uf":  # integers are divided by their full scale, and floats of the same values are not
            digest.update(clip.dtype.str.encode())
        digest.update(np.ascontiguousarray(clip, np.float32).tobytes())
    return digest.hexdigest()[:32]


def _read(path: Path) -> list[Tensor] | None:
    try:
        stored = load_file(path)
        return list(torch.split(stored["frames"].float(), stored["lengths"].tolist()))
    except (OSError, SafetensorError, KeyError, RuntimeError):
        return None


def _write(path: Path, encoded: list[Tensor]) -> None:
    """Store the concatenated clips; counts up to 255 take one byte each."""
    frames = torch.cat(encoded)
    small = frames.to(torch.uint8)
    lengths = torch.tensor([len(x) for x in encoded])
    write_atomic(path, save({"frames": small if torch.equal(small.float(), frames) else frames, "lengths": lengths}))
