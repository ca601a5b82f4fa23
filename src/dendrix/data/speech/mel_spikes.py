"""Causal spike encoders of log-mel frames: rate, latency, level-crossing and integrate-and-fire codes.

The input of the codes is the loudness of a band, a = clip((frame - low) / (high - low), 0, 1); that of the level-crossing code is the
frame itself.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...checks import SEEDS
from ...compiled import compiled
from ...core import State, expect_fields
from ...errors import InputError
from ..cochlea.nerve import noise_keys
from .audio import Wave
from .mel import LogMel


@dataclass(frozen=True)
class MelLoudness(LogMel):
    """Loudness of each band, 0 to 1, [T, n_mels]: the base class of the codes.

    Args:
        low: value of `LogMel` that maps to loudness 0.
        high: value of `LogMel` that maps to loudness 1.
    Raises:
        InputError: `low` is not below `high`, or a field is out of range.
    """

    low: float = -1.0
    high: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, low="(-inf, inf)", high="(-inf, inf)")
        if self.low >= self.high:
            raise InputError(f"low: expected less than high={self.high}, got {self.low}. Lower it or raise high.")

    def advance(self, wave: Wave, state: State) -> tuple[Tensor, State]:
        frames, state = super().advance(wave, state)
        return ((frames - self.low) / (self.high - self.low)).clamp(0, 1), state


class MelRateState(NamedTuple):
    """State of a stream."""

    mel: State
    """State of `LogMel`."""
    key: NDArray[np.uint64]
    """Key of the noise generator, [1]."""


@dataclass(frozen=True)
class MelRate(MelLoudness):
    """Rate code: each band spikes in each step with probability a * rate_hz * dt, [T, n_mels] in {0, 1}.

    Args:
        rate_hz: spike rate at loudness 1, in Hz; at most one spike per step.
        seed: seed of the spikes, which also depend on the audio.
    Raises:
        InputError: a field is out of range.
    Source: ours; Bernoulli spikes.
    """

    rate_hz: float = 80.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, rate_hz=f"(0, {1000 / self.dt_ms}]", seed=SEEDS)

    def init_state(self) -> MelRateState:
        return MelRateState(super().init_state(), np.array([self.seed], np.uint64))

    def advance(self, wave: Wave, state: MelRateState) -> tuple[Tensor, MelRateState]:
        loudness, mel = super().advance(wave, state.mel)
        key = state.key.copy()
        bits = compiled(noise_keys)(loudness.flatten().numpy(), key).reshape(loudness.shape)
        uniform = torch.from_numpy(bits.astype(np.float64) / 2**32)
        return (uniform < loudness * self.rate_hz * self.dt_ms / 1000).float(), MelRateState(mel, key)


class MelLatencyState(NamedTuple):
    """State of a stream."""

    mel: State
    """State of `LogMel`."""
    held: Tensor
    """Loudness encoded in the current window, [1, n_mels]."""
    phase: int
    """Steps since the start of the window."""


@dataclass(frozen=True)
class MelLatency(MelLoudness):
    """Latency code: in each window of `window_steps`, each band spikes at most once, earlier if it is louder, [T, n_mels] in {0, 1}.

    A loudness a > 0 at the first step t of a window gives a spike at step t + round((1 - a) * (window_steps - 1)); a = 0 gives no spike.

    Args:
        window_steps: number of steps per window.
    Raises:
        InputError: a field is out of range.
    Source: ours; after Thorpe & Gautrais (1998), "Rank order coding".
    """

    dt_ms: float = 2.0
    window_steps: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, window_steps="[2, inf)")

    def init_state(self) -> MelLatencyState:
        return MelLatencyState(super().init_state(), torch.zeros(1, self.n_mels), 0)

    def advance(self, wave: Wave, state: MelLatencyState) -> tuple[Tensor, MelLatencyState]:
        loudness, mel = super().advance(wave, state.mel)
        step = torch.arange(len(loudness))
        since = (step + state.phase) % self.window_steps
        taken = torch.cat([state.held, loudness])[(step - since).clamp(min=-1) + 1]
        latency = ((1 - taken) * (self.window_steps - 1)).round()
        spikes = (latency == since.unsqueeze(1)) & (taken > 0)
        return spikes.float(), MelLatencyState(mel, taken[-1:], (state.phase + len(loudness)) % self.window_steps)


class LevelCrossingState(NamedTuple):
    """State of a stream."""

    mel: State
    """State of `LogMel`."""
    level: NDArray[np.float32]
    """Level that the spikes so far add up to, [n_mels]."""


@dataclass(frozen=True)
class MelLevels(LogMel):
    """Level-crossing code: number of levels that a frame crosses upwards, then downwards, [T, 2 * n_mels].

        n = trunc((x - level) / delta);   level <- level + n * delta

    Args:
        delta: distance between levels, in units of the frames of `LogMel`.
    Raises:
        InputError: a field is out of range.
    Source: level-crossing sampling, Mark & Todd (1981), "A nonuniform sampling approach to data compression"; on mel frames, ours.
    """

    delta: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, delta="(0, inf)")

    @property
    def channels(self) -> int:
        return 2 * self.n_mels

    def init_state(self) -> LevelCrossingState:
        silence = (np.log10(self.floor) - self.mean) / self.std
        return LevelCrossingState(super().init_state(), np.full(self.n_mels, silence, np.float32))

    def advance(self, wave: Wave, state: LevelCrossingState) -> tuple[Tensor, LevelCrossingState]:
        frames, mel = super().advance(wave, state.mel)
        level = state.level
        change = np.empty(frames.shape, np.float32)
        for t, frame in enumerate(frames.numpy()):
            change[t] = np.trunc((frame - level) / np.float32(self.delta))
            level = level + change[t] * np.float32(self.delta)
        spikes = torch.from_numpy(np.concatenate([change, -change], 1)).clamp(min=0)
        return spikes, LevelCrossingState(mel, level)


class MelLIFState(NamedTuple):
    """State of a stream."""

    mel: State
    """State of `LogMel`."""
    v: NDArray[np.float32]
    """Membrane potential, in units of the threshold, [n_mels]."""


@dataclass(frozen=True)
class MelLIF(MelLoudness):
    """Integrate-and-fire code: spike counts of one leaky integrate-and-fire neuron with soft reset per band, [T, n_mels].

        v <- exp(-dt / tau) * v + gain * a;   n = floor(v);   v <- v - n

    Args:
        tau_ms: membrane time constant, in ms.
        gain: input per step at loudness 1, in units of the threshold.
    Raises:
        InputError: a field is out of range.
    Source: ours.
    """

    tau_ms: float = 20.0
    gain: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, tau_ms="(0, inf)", gain="(0, inf)")

    def init_state(self) -> MelLIFState:
        return MelLIFState(super().init_state(), np.zeros(self.n_mels, np.float32))

    def advance(self, wave: Wave, state: MelLIFState) -> tuple[Tensor, MelLIFState]:
        loudness, mel = super().advance(wave, state.mel)
        v, decay = state.v, np.float32(np.exp(-self.dt_ms / self.tau_ms))
        counts = np.empty(loudness.shape, np.float32)
        for t, drive in enumerate(np.float32(self.gain) * loudness.numpy()):
            v = decay * v + drive
            counts[t] = np.floor(v)
            v = v - counts[t]
        return torch.from_numpy(counts), MelLIFState(mel, v)
