"""Sound of a microphone in chunks, with sounddevice."""

import importlib
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ...core import expect_in
from ...errors import InputError, MissingExtraError
from .audio import Wave, check_rate


class Recorder(Protocol):
    """What is used of the module sounddevice."""

    PortAudioError: type[Exception]

    def InputStream(self, *, samplerate: float, channels: int, dtype: str, device: int | str | None) -> Any:  # noqa: N802
        """Open a stream with `read(frames) -> (samples [N, channels], overflowed)`, a context manager."""


def microphone(rate: int, chunk_ms: float = 100.0, device: int | str | None = None, recorder: Recorder | None = None) -> Iterator[Wave]:
    """Yield the sound of a microphone in chunks [N], mono, as it is recorded, until the iterator is closed.

    Args:
        rate: sampling rate, in Hz.
        chunk_ms: length of a chunk, in ms.
        device: number or name of the device, as `python -m sounddevice` lists them; None takes the default one.
        recorder: module that records; None imports sounddevice.
    Raises:
        MissingExtraError: sounddevice is not installed, or its library PortAudio is missing.
        InputError: there is no microphone, it cannot record at this rate, or it was disconnected.
    """
    check_rate(rate, "rate")
    expect_in(chunk_ms, "(0, inf)", "chunk_ms")
    used = _sounddevice() if recorder is None else recorder
    frames = max(round(rate * chunk_ms / 1000), 1)
    try:
        with used.InputStream(samplerate=rate, channels=1, dtype="float32", device=device) as stream:
            while True:
                yield np.asarray(stream.read(frames)[0], np.float32)[:, 0].copy()
    except (used.PortAudioError, ValueError) as error:  # ValueError: no device of this name
        cause = " ".join(str(error).split())
        raise InputError(
            f"microphone: expected one that records at {rate} Hz, got none ({cause}). Connect it, or give a wav file."
        ) from error


def _sounddevice() -> Recorder:
    try:
        found: Any = importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:  # OSError: without PortAudio
        raise MissingExtraError.of("A microphone needs", "sounddevice", "microphone", error) from error
    return found  # type: ignore[no-any-return]
