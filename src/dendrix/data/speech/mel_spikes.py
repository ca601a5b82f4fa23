"""Spikes from log-mel frames, in four codes. All are causal: the frames look at the past only, and so do the codes.

The codes read the loudness of a band, a = clip((frame - low) / (high - low), 0, 1), but for level crossings, which read its changes.
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
    """What the codes share: how loud each band is, from 0 to 1, [T, n_mels].

    Args:
        low, high: frames of `LogMel` at which a band counts as silent and as fully loud.
    """

    low: float = -1.0
    high: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, low="(-inf, inf)", high="(-inf, inf)")
        if self.low >= self.high:
            raise InputError(f"low: expected less than high={self.high}, got {self.low}.")

    def advance(self, wave: Wave, state: State) -> tuple[Tensor, State]:
        frames, state = super().advance(wave, state)
        return ((frames - self.low) / (self.high - self.low)).clamp(0, 1), state


class RateState(NamedTuple):
    """Where a stream stands."""

    mel: State
    key: NDArray[np.uint64]
    """of the noise, [1]"""


@dataclass(frozen=True)
class MelRate(MelLoudness):
    """Rate code: a band spikes in a step with probability a * rate_hz * dt, [T, n_mels] in {0, 1}.

    Args:
        rate_hz: of a fully loud band; at most one spike per step.
        seed: of the spikes, which depend on the sound as well.
    Source: ours; Bernoulli spikes.
    """

    rate_hz: float = 80.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, rate_hz=f"(0, {1000 / self.dt_ms}]", seed=SEEDS)

    def init_state(self) -> RateState:
        return RateState(super().init_state(), np.array([self.seed], np.uint64))

    def advance(self, wave: Wave, state: RateState) -> tuple[Tensor, RateState]:
        loudness, mel = super().advance(wave, state.mel)
        key = state.key.copy()
        bits = compiled(noise_keys)(loudness.flatten().numpy(), key).reshape(loudness.shape)
        uniform = torch.from_numpy(bits.astype(np.float64) / 2**32)
        return (uniform < loudness * self.rate_hz * self.dt_ms / 1000).float(), RateState(mel, key)


class LatencyState(NamedTuple):
    """Where a stream stands."""

    mel: State
    held: Tensor
    """loudness that is being sent, [1, n_mels]"""
    phase: int
    """steps since it was taken"""


@dataclass(frozen=True)
class MelLatency(MelLoudness):
    """Latency code: every `window_steps` each band spikes once, the sooner the louder, [T, n_mels] in {0, 1}; silent bands do not.

    A loudness a > 0 that is taken at step t comes as a spike at step t + round((1 - a) * (window_steps - 1)).

    Args:
        window_steps: steps over which one loudness is sent.
    Source: ours; after Thorpe & Gautrais (1998), "Rank order coding".
    """

    dt_ms: float = 2.0
    window_steps: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, window_steps="[2, inf)")

    def init_state(self) -> LatencyState:
        return LatencyState(super().init_state(), torch.zeros(1, self.n_mels), 0)

    def advance(self, wave: Wave, state: LatencyState) -> tuple[Tensor, LatencyState]:
        loudness, mel = super().advance(wave, state.mel)
        step = torch.arange(len(loudness))
        since = (step + state.phase) % self.window_steps
        taken = torch.cat([state.held, loudness])[(step - since).clamp(min=-1) + 1]
        latency = ((1 - taken) * (self.window_steps - 1)).round()
        spikes = (latency == since.unsqueeze(1)) & (taken > 0)
        return spikes.float(), LatencyState(mel, taken[-1:], (state.phase + len(loudness)) % self.window_steps)


class LevelState(NamedTuple):
    """Where a stream stands."""

    mel: State
    level: NDArray[np.float32]
    """that was last reported, [n_mels]"""


@dataclass(frozen=True)
class MelLevels(LogMel):
    """Level-crossing code: as many spikes as steps of `delta` that a frame has risen or fallen, [T, 2 * n_mels], rises first.

        n = trunc((x - level) / delta);   level <- level + n * delta

    Args:
        delta: between two levels, in units of the frames of `LogMel`.
    Source: level-crossing sampling, Mark & Todd (1981), "A nonuniform sampling approach to data compression"; on mel frames, ours.
    """

    delta: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, delta="(0, inf)")

    @property
    def channels(self) -> int:
        return 2 * self.n_mels

    def init_state(self) -> LevelState:
        silence = (np.log10(self.floor) - self.mean) / self.std
        return LevelState(super().init_state(), np.full(self.n_mels, silence, np.float32))

    def advance(self, wave: Wave, state: LevelState) -> tuple[Tensor, LevelState]:
        frames, mel = super().advance(wave, state.mel)
        level = state.level
        change = np.empty(frames.shape, np.float32)
        for t, frame in enumerate(frames.numpy()):
            change[t] = np.trunc((frame - level) / np.float32(self.delta))
            level = level + change[t] * np.float32(self.delta)
        spikes = torch.from_numpy(np.concatenate([change, -change], 1)).clamp(min=0)
        return spikes, LevelState(mel, level)


class LIFState(NamedTuple):
    """Where a stream stands."""

    mel: State
    v: NDArray[np.float32]
    """[n_mels]"""


@dataclass(frozen=True)
class MelLIF(MelLoudness):
    """Each band drives a leaky integrate-and-fire neuron with soft reset; its spikes are counted, [T, n_mels].

        v <- exp(-dt / tau) * v + gain * a;   n = floor(v);   v <- v - n

    Args:
        tau_ms: membrane time constant.
        gain: what a fully loud band adds to the membrane in a step, in thresholds.
    Source: ours.
    """

    tau_ms: float = 20.0
    gain: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, tau_ms="(0, inf)", gain="(0, inf)")

    def init_state(self) -> LIFState:
        return LIFState(super().init_state(), np.zeros(self.n_mels, np.float32))

    def advance(self, wave: Wave, state: LIFState) -> tuple[Tensor, LIFState]:
        loudness, mel = super().advance(wave, state.mel)
        v, decay = state.v, np.float32(np.exp(-self.dt_ms / self.tau_ms))
        counts = np.empty(loudness.shape, np.float32)
        for t, drive in enumerate(np.float32(self.gain) * loudness.numpy()):
            v = decay * v + drive
            counts[t] = np.floor(v)
            v = v - counts[t]
        return torch.from_numpy(counts), LIFState(mel, v)
