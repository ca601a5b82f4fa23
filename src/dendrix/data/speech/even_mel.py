"""Log-mel frames of a sound whose loudness was evened out: soft and loud voices look alike."""

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


class EvenState(NamedTuple):
    """Where a stream stands."""

    level: NDArray[np.float32]
    """the recent peak, [1]"""
    mel: State


@dataclass(frozen=True)
class EvenMel(LogMel):
    """`LogMel` behind an automatic gain, [T, n_mels]. Silence is zero, as it is in the tail after a clip.

        level <- max(|x|, exp(-dt / release) * level);   y = x / (level + peak_floor)

    Args:
        release_ms: how fast the gain recovers from a loud sound.
        peak_floor: sounds well below it stay soft; full scale is 1.
        centred: subtract from every frame its mean over the channels; the shape of the spectrum is left, not its level.
    Source: the automatic gain of `Cochlea`; ours.
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

    def init_state(self) -> EvenState:
        return EvenState(np.zeros(1, np.float32), super().init_state())

    def advance(self, wave: Wave, state: EvenState) -> tuple[Tensor, EvenState]:
        level = state.level.copy()
        even = compiled(even_out)(wave, np.exp(-1000 / (self.release_ms * self.rate)), self.peak_floor, level)
        frames, mel = super().advance(even, state.mel)
        if self.centred:
            frames = frames - frames.mean(1, keepdim=True)
        return frames, EvenState(level, mel)
