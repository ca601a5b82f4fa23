"""Encoding of wav files, with the cache keyed by path, size and modification time."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..cache import encode_all
from ..encoder import Encoder
from .audio import Wave, read_wav, resample


def encode_files(
    base: Path, names: Sequence[str], encoder: Encoder, *, longest_s: float = 60.0, exactly_s: float | None = None, cache: bool = True
) -> list[Tensor]:
    """Encode wav files; each is resampled to the sampling rate of the encoder.

    The key in the cache (see `data.cache`) is the path, size and modification time of every file, so a second call does not read the files.

    Args:
        base: folder of the files.
        names: names of the files, relative to `base`.
        encoder: encoder to apply.
        longest_s: longest accepted duration, in s.
        exactly_s: length to which every clip is cut or zero-padded, in s; None keeps the lengths.
        cache: keep the encoded clips on disk.
    Returns:
        x [T_i, C] of each file.
    Raises:
        OSError: a file does not exist or cannot be opened.
        InputError: a file is damaged, too long or not a wav file.
        MissingExtraError: soundfile is not installed, or soxr if the sampling rates differ.
    """

    def decode(identity: NDArray[Any]) -> Wave:
        wave, rate = read_wav(base / json.loads(identity.tobytes())["name"], longest_s)
        wave = resample(wave, rate, encoder.rate)
        if exactly_s is not None:
            samples = round(exactly_s * encoder.rate)
            wave = np.pad(wave[:samples], (0, max(samples - len(wave), 0)))
        return wave

    return encode_all([_identity(base, name, exactly_s) for name in names], encoder.rate, encoder, decode=decode, cache=cache)


def _identity(base: Path, name: str, exactly_s: float | None) -> NDArray[np.uint8]:
    """Return bytes that identify the content of a file by its path, size and modification time."""
    status = (base / name).stat()
    known = {"base": str(base.resolve()), "name": name, "size": status.st_size, "changed": status.st_mtime_ns, "exactly_s": exactly_s}
    return np.frombuffer(json.dumps(known).encode(), np.uint8)
