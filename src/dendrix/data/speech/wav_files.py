"""Many wav files, read only when they are encoded."""

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
    """Encode wav files of any rate; each is brought to the rate of the encoder.

    On disk (see `data.cache`) the result is known by the path, size and time of change of every file, so the files are read once.

    Args:
        base: the folder.
        names: of the files, relative to it.
        encoder: what the network hears with.
        longest_s: refuse longer files.
        exactly_s: cut longer clips and fill up shorter ones with silence, to this length.
        cache: keep the encoded clips on disk.
    Returns:
        x [T_i, C] for each file.
    Raises:
        OSError: a file is not there or may not be read.
        ValueError: a file is damaged, too long or no wav file.
        ImportError: soundfile is missing, or soxr where rates differ.
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
    """What stands for a file until it is read: bytes that change when the file does."""
    status = (base / name).stat()
    known = {"base": str(base.resolve()), "name": name, "size": status.st_size, "changed": status.st_mtime_ns, "exactly_s": exactly_s}
    return np.frombuffer(json.dumps(known).encode(), np.uint8)
