"""Base class of encoders in whole numbers: 16-bit samples to the integers that a quantised network takes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core import State
from ..encoder import CausalEncoder
from .audio import Wave

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class IntegerEncoder(CausalEncoder):
    """Base class of encoders in whole numbers. Frames [T, C] are integers times 2^-shift."""

    @property
    def fraction(self) -> int:
        """Fractional bits of a frame."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: define its property `fraction`.")

    def tables(self) -> Any:
        """The constants of the encoder, a NamedTuple."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: define tables().")

    def run(self, pcm: Ints, state: Any) -> tuple[Ints, Any]:
        """Encode whole frames of 16-bit samples, int64 [T * hop], to integers [T, C]; returns them and the next state."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: define run(pcm, state).")

    def advance(self, wave: Wave, state: State) -> tuple[Tensor, State]:
        whole, state = self.run(samples(wave), state)
        return torch.from_numpy((whole * 2.0**-self.fraction).astype(np.float32)), state


def samples(wave: Wave) -> Ints:
    """A waveform with full scale at 1 as 16-bit samples, int64 [N]."""
    return np.clip(np.floor(wave.astype(np.float64) * 32768 + 0.5), -32768, 32767).astype(np.int64)
