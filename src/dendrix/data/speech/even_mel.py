"""Log-mel frames after automatic gain control, which reduces the difference between soft and loud voices."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...compiled import compiled
from ...core import State, expect_fields
from ..cochlea.filterbank import even_out
from .audio import Wave
from .mel import LogMel


class EvenMelState(NamedTuple):
    """State of a stream."""

    level: NDArray[np.float32]
    """Recent peak, [1]."""
    mel: State
    """State of `LogMel`."""


@dataclass(frozen=True)
class EvenMel(LogMel):
    """`LogMel` after an automatic gain, [T, n_mels]. Silence gives frames of zeros, like the padding after a clip.

        level <- max(|x|, exp(-dt / release) * level);   y = x / (level + peak_floor)

    Args:
        release_ms: time constant with which the gain recovers from a loud sound, in ms.
        peak_floor: amplitude below which sounds are amplified less; full scale is 1.
        centred: subtract the mean over the channels from each frame, which keeps the shape of the spectrum and removes its level.
    Raises:
        InputError: a field is out of range.
    Source: ours; the automatic gain is that of `Cochlea`.
    """

    n_mels: int = 24
    floor: float = 1e-7
    mean: float = -7.0
    std: float = 2.0
    release_ms: float = 500.0
    peak_floor: float = 0.003
    centred: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, release_ms="(0, inf)", peak_floor="(0, inf)")

    def init_state(self) -> EvenMelState:
        return EvenMelState(np.zeros(1, np.float32), super().init_state())

    def advance(self, wave: Wave, state: EvenMelState) -> tuple[Tensor, EvenMelState]:
        level = state.level.copy()
        even = compiled(even_out)(wave, np.exp(-1000 / (self.release_ms * self.rate)), self.peak_floor, level)
        frames, mel = super().advance(even, state.mel)
        if self.centred:
            frames = frames - frames.mean(1, keepdim=True)
        return frames, EvenMelState(level, mel)
