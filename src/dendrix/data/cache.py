"""Encoded clips kept on disk, found by what they were made of."""

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
from .encoder import Encoder, encoder_to_dict
from .speech.audio import Wave

_VERSION = 1
"""Raise it when an encoder's result changes for the same fields: older files are then never found again."""


def encode_all(
    clips: Sequence[NDArray[Any]], rate: int, encoder: Encoder, *, decode: Callable[[NDArray[Any]], Wave] = np.asarray, cache: bool = True
) -> list[Tensor]:
    """Encode many clips, on all cores, once: the next call with the same sound and the same encoder reads them from disk.

    The file is named by the hash of the clips, the rate, the encoder and the version of this code; a damaged file is made again.

    Args:
        clips: waves [N_i], or coded sound that `decode` turns into waves.
        rate: the rate of the waves, in Hz.
        encoder: what to encode them with.
        decode: run on a clip only when it is encoded.
        cache: False neither reads nor writes the disk.
    Returns:
        x [T_i, C] for each clip.
    Raises:
        PermissionError: the cache folder cannot be made or written.
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


def cache_folder() -> Path:
    """DENDRIX_CACHE, or the user's cache folder."""
    if chosen := os.environ.get("DENDRIX_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dendrix"


def _check_writable(folder: Path) -> None:
    """Before minutes of work, not after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise PermissionError(
            f"{folder}: expected a cache folder that can be written, and it cannot. Set DENDRIX_CACHE to another, or use cache=False."
        )


def _fingerprint(clips: Sequence[NDArray[Any]], rate: int, encoder: Encoder) -> str:
    settings = {"version": _VERSION, "rate": rate, "lengths": [len(clip) for clip in clips], **encoder_to_dict(encoder)}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for clip in clips:
        digest.update(np.ascontiguousarray(clip, np.float32).tobytes())
    return digest.hexdigest()[:32]


def _read(path: Path) -> list[Tensor] | None:
    try:
        stored = load_file(path)
        return list(torch.split(stored["frames"].float(), stored["lengths"].tolist()))
    except (OSError, SafetensorError, KeyError, RuntimeError):
        return None


def _write(path: Path, encoded: list[Tensor]) -> None:
    """Store the clips end to end; counts up to 255 take a byte each."""
    frames = torch.cat(encoded)
    small = frames.to(torch.uint8)
    lengths = torch.tensor([len(x) for x in encoded])
    write_atomic(path, save({"frames": small if torch.equal(small.float(), frames) else frames, "lengths": lengths}))
