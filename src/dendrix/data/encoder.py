"""Base classes of audio encoders: frozen dataclasses that are called on a waveform and return the input of a network."""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core import State
from ..errors import InputError
from .speech.audio import Wave, as_wave, check_rate, check_wave, resample


@dataclass(frozen=True)
class Encoder:
    """Base class of encoders from audio to frames: `encoder(wave, rate) -> x [T, C]` with T = ceil(duration / dt_ms).

    An encoder is a pure function of its fields and the waveform. Random encoders are seeded by both, so the result depends neither on the
    order of the clips nor on the number of workers. `encoder_to_dict` and `encoder_from_dict` store an encoder next to a model.

    Args:
        rate: sampling rate of the encoder, in Hz; audio at another rate is resampled first.
        dt_ms: length of a frame, in ms; must be a whole number of samples.
    Raises:
        InputError: `rate` or `dt_ms` is not positive, or a frame is not a whole number of samples.
    """

    rate: int = 16_000
    dt_ms: float = 10.0

    def __post_init__(self) -> None:
        check_rate(self.rate, "rate")
        if self.rate < 1 or self.dt_ms <= 0 or not (self.rate * self.dt_ms / 1000).is_integer():
            raise InputError(
                f"dt_ms: expected a whole number of samples per frame, got {self.dt_ms} ms at rate={self.rate} Hz. Change either."
            )

    @property
    def hop(self) -> int:
        """Number of samples per frame."""
        return int(self.rate * self.dt_ms / 1000)

    @property
    def channels(self) -> int:
        """Number of channels C of a frame."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: define its property `channels`.")

    def __call__(self, wave: Wave, rate: int) -> Tensor:
        """Encode a whole clip.

        Args:
            wave: mono samples [N], floats with full scale at 1 or integers, as in `as_wave`.
            rate: sampling rate of the samples, in Hz.
        Returns:
            x [T, C], float32.
        Raises:
            InputError: the waveform is empty, not mono, or contains NaN, infinity or samples far beyond full scale.
            MissingExtraError: it must be resampled and soxr is not installed.
        """
        return self.encode(resample(check_wave(as_wave(wave)), rate, self.rate))

    def encode(self, wave: Wave) -> Tensor:
        """Encode a checked waveform [N] at the sampling rate of the encoder to x [T, C]."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: define encode(wave).")


class StreamState(NamedTuple):
    """State of a stream."""

    inner: State
    """State of the encoder after the last whole frame."""
    rest: Wave
    """Samples of the incomplete frame, [N] with N < hop."""


@dataclass(frozen=True)
class CausalEncoder(Encoder):
    """Base class of encoders whose frames depend on past samples only. A stream encoded in chunks gives the frames of the whole clip."""

    def init_state(self) -> State:
        """Return the state before the first sample."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: define init_state().")

    def advance(self, wave: Wave, state: State) -> tuple[Tensor, State]:
        """Encode whole frames, a waveform [T * hop], to x [T, C]; returns x and the next state. The given state is not modified."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: define advance(wave, state).")

    def encode(self, wave: Wave) -> Tensor:
        # Zeros complete the last frame.
        return self.advance(np.pad(wave, (0, -len(wave) % self.hop)), self.init_state())[0]

    def stream(self, chunk: Wave, state: StreamState | None = None) -> tuple[Tensor, StreamState]:
        """Encode the next chunk of a stream.

        Args:
            chunk: samples [N] at `self.rate` Hz, N >= 0, as in `__call__`.
            state: state returned by the previous call; None at the start.
        Returns:
            the frames completed by this chunk, x [T, C] with T >= 0, and the state for the next call.
        """
        inner, rest = state or StreamState(self.init_state(), np.zeros(0, np.float32))
        wave = np.concatenate([rest, as_wave(chunk)])
        ready = len(wave) // self.hop * self.hop
        if ready == 0:
            return torch.zeros(0, self.channels), StreamState(inner, wave)
        frames, inner = self.advance(wave[:ready], inner)
        return frames, StreamState(inner, wave[ready:])


def encoder_to_dict(encoder: Encoder) -> dict[str, Any]:
    """Return the encoder as JSON values: its class name under "encoder", and its fields."""
    return {"encoder": type(encoder).__name__, **dataclasses.asdict(encoder)}
