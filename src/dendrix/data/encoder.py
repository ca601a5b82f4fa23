"""What turns sound into input for a network: frozen settings that are called on a wave."""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core import State
from ..errors import InputError
from .speech.audio import Wave, check_wave, resample


@dataclass(frozen=True)
class Encoder:
    """Sound to frames: `encoder(wave, rate) -> x [T, C]` with T = ceil(duration / dt_ms).

    An encoder is a pure function of its fields and the wave; randomness is seeded by both, so neither the order of the clips
    nor the number of workers matters. `encoder_to_dict` and `encoder_from_dict` store it beside a model.

    Args:
        rate: the rate it works at, in Hz; sound at another rate is resampled first.
        dt_ms: the length of a frame, in ms; a whole number of samples.
    """

    rate: int = 16_000
    dt_ms: float = 10.0

    def __post_init__(self) -> None:
        if self.rate < 1 or self.dt_ms <= 0 or not (self.rate * self.dt_ms / 1000).is_integer():
            raise InputError(f"A frame must be a whole number of samples, got dt_ms={self.dt_ms} at rate={self.rate} Hz.")

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return int(self.rate * self.dt_ms / 1000)

    @property
    def channels(self) -> int:
        """C, the width of a frame."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: give it `channels`.")

    def __call__(self, wave: Wave, rate: int) -> Tensor:
        """Encode a whole clip: wave [N] at `rate` Hz -> x [T, C], float32.

        Raises:
            ValueError: the wave is empty, not mono, or holds NaN or infinity.
            ImportError: it must be resampled and soxr is missing.
        """
        return self.encode(resample(check_wave(np.asarray(wave, np.float32)), rate, self.rate))

    def encode(self, wave: Wave) -> Tensor:
        """A checked wave [N] at the encoder's own rate -> x [T, C]."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: give it encode(wave).")


class StreamState(NamedTuple):
    """Where a stream stands: the state of the encoder and the samples that do not fill a frame yet."""

    inner: State
    rest: Wave


@dataclass(frozen=True)
class CausalEncoder(Encoder):
    """An encoder whose frames depend on the past only, so that it can follow a live sound: chunks give what the whole gives."""

    def init_state(self) -> State:
        """The state before the first sample."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: give it init_state().")

    def advance(self, wave: Wave, state: State) -> tuple[Tensor, State]:
        """Whole frames: a wave [T * hop] -> x [T, C] and the next state. The state that came in is not modified."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: give it advance(wave, state).")

    def encode(self, wave: Wave) -> Tensor:
        # The last frame is filled up with silence.
        return self.advance(np.pad(wave, (0, -len(wave) % self.hop)), self.init_state())[0]

    def stream(self, chunk: Wave, state: StreamState | None = None) -> tuple[Tensor, StreamState]:
        """Encode the next piece of a sound at the encoder's own rate.

        Args:
            chunk: samples [N] at `self.rate` Hz, any number of them.
            state: what the last call returned; None at the start.
        Returns:
            the frames that are complete now, x [T, C] with T >= 0, and the state for the next call.
        """
        inner, rest = state or StreamState(self.init_state(), np.zeros(0, np.float32))
        wave = np.concatenate([rest, chunk])
        ready = len(wave) // self.hop * self.hop
        if ready == 0:
            return torch.zeros(0, self.channels), StreamState(inner, wave)
        frames, inner = self.advance(wave[:ready], inner)
        return frames, StreamState(inner, wave[ready:])


def encoder_to_dict(encoder: Encoder) -> dict[str, Any]:
    """The encoder as plain JSON values: its class name under "encoder", then its fields."""
    return {"encoder": type(encoder).__name__, **dataclasses.asdict(encoder)}
