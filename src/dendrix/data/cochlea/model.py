"""Cochlea spike encoders: that of the Heidelberg data sets, as published, and a causal form of it for streams.

Stages: basilar membrane, inner hair cells, auditory nerve fibres and bushy cells.

Source: Cramer, Stradmann, Schemmel & Zenke (2020), "The Heidelberg spiking data sets", arXiv 1910.07407.
"""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...checks import SEEDS
from ...compiled import compiled
from ...core import expect_fields
from ...errors import InputError
from ..encoder import CausalEncoder, Encoder
from ..speech.audio import Wave
from .basilar import PLACES, membrane_motion
from .filterbank import ORDER, even_out, filter_bank, filter_wave
from .haircell import HairCellState, euler_hair_cells, exact_hair_cells, hair_cells_at_rest
from .nerve import MEMBRANE_S, SYNAPSE_S, WEIGHT, NerveState, fire, nerve_at_rest, noise_keys

_BLOCK = 100
"""Cells computed together, which bounds the memory for a long clip."""


@dataclass(frozen=True)
class PublishedCochlea(Encoder):
    """Published encoder: spike counts of 700 bushy cells, summed over groups of neighbours, [T, 700 / group]. Not causal.

    The clip is scaled to a fixed RMS and multiplied by a Hann window of its length; the membrane is one Fourier transform of the clip.
    Audio is resampled to 48 kHz, the rate of the published recordings, because the published hair cells use explicit Euler steps, which
    are unstable at low rates.

    Args:
        rms: root mean square to which the clip is scaled before the window.
        group: number of neighbouring cells that are summed to one channel.
        trim: return the frames from the first spike to the last, as published for SHD, instead of those of the whole clip.
        seed: seed of the nerve fibres.
    Raises:
        InputError: `group` does not divide 700, a frame is not a whole number of sample pairs, or a field is out of range.
    """

    rate: int = 48_000
    rms: float = 0.3
    group: int = 5
    trim: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, rms="(0, inf)", seed=SEEDS)
        _check_group(PLACES, self.group)
        if self.hop % 2:
            raise InputError(
                f"dt_ms: expected an even number of samples per frame at {self.rate} Hz, got {self.dt_ms} ms. Change dt_ms or rate."
            )

    @property
    def channels(self) -> int:
        return PLACES // self.group

    def encode(self, wave: Wave) -> Tensor:
        spikes = self.spikes(wave)
        heard = np.flatnonzero(spikes.any(1))
        if self.trim and len(heard):
            spikes = spikes[heard[0] : heard[-1] + 1]
        frames = -(-len(spikes) // (self.hop // 2))
        filled = np.pad(spikes, ((0, frames * self.hop // 2 - len(spikes)), (0, 0)))
        return torch.from_numpy(_count(filled.reshape(frames, -1, PLACES), self.group))

    def spikes(self, wave: Wave) -> NDArray[np.uint8]:
        """Return the spikes of the cells at half the sampling rate of the encoder, in {0, 1}, [len(wave) // 2 + 1, 700]."""
        samples, rate = len(wave) // 2 + 1, self.rate / 2
        # Padding to a length with small prime factors makes the transform fast; a clip of such a length gives the published result.
        bins = _fast_length(samples)
        spectrum = np.fft.fft(_window(wave, self.rms), 2 * bins - 2 + len(wave) % 2)[:bins]
        keys = compiled(noise_keys)(wave, np.array([self.seed], np.uint64))[-samples:]
        spikes = np.empty((samples, PLACES), np.uint8)
        for first in range(0, PLACES, _BLOCK):
            probability = membrane_motion(spectrum, self.rate, first, first + _BLOCK)[:samples]
            compiled(euler_hair_cells)(probability, rate, *hair_cells_at_rest(_BLOCK, np.float64))
            state = nerve_at_rest(_BLOCK, rate)
            spikes[:, first : first + _BLOCK] = fire(probability, keys, state, rate, WEIGHT / rate, first)
        return spikes


class CochleaState(NamedTuple):
    """State of a stream through C cells."""

    heard: int
    """Number of samples since the start."""
    key: NDArray[np.uint64]
    """Key of the noise generator, [1]."""
    level: NDArray[np.float32]
    """Recent peak, [1]."""
    previous: NDArray[np.float32]
    """Last two samples, [2]."""
    last: NDArray[np.float32]
    """Last output of each resonator, [4, C]."""
    before: NDArray[np.float32]
    """Output of each resonator one sample earlier, [4, C]."""
    hair: HairCellState
    nerve: NerveState


@dataclass(frozen=True)
class Cochlea(CausalEncoder):
    """Causal encoder for streams and early decisions: spike counts of bushy cells, summed over groups of neighbours, [T, cells / group].

    Differences from `PublishedCochlea`: an automatic gain and a short ramp replace the scaling and the window of the whole clip; a causal
    filter bank replaces the Fourier transform; hair cells and bushy cells are integrated exactly, so that the spike count does not depend
    on the sampling rate.

    Args:
        gain: factor after the automatic gain; a larger gain gives more spikes.
        release_ms: time constant with which the automatic gain recovers from a loud sound, in ms.
        floor: peak amplitude below which sounds are amplified less; full scale is 1.
        ramp_ms: duration of the fade-in at the start, in ms.
        cells: number of cells, from high to low frequency.
        group: number of neighbouring cells that are summed to one channel.
        f_min: peak of the last filter, in Hz; the filters are evenly spaced in log frequency.
        f_max: peak of the first filter, in Hz.
        quality: quality factor of the resonators. 1.33 fits the published membrane; sharper filters give better accuracy on spoken digits
            (see `FSDD_COCHLEA`).
        seed: seed of the nerve fibres.
    Raises:
        InputError: `group` does not divide `cells`, or a field is out of range.
    """

    gain: float = 3.0
    release_ms: float = 500.0
    floor: float = 0.003
    ramp_ms: float = 5.0
    cells: int = 700
    group: int = 5
    f_min: float = 110.0
    f_max: float = 6_000.0
    quality: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, gain="(0, inf)", release_ms="(0, inf)", floor="(0, inf)", ramp_ms="[0, inf)")
        expect_fields(self, cells="[1, inf)", quality="(0.5, inf)", seed=SEEDS)
        _check_group(self.cells, self.group)
        if not 0 < self.f_min < self.f_max <= 0.4 * self.rate:
            raise InputError(
                f"Expected 0 < f_min < f_max <= {0.4 * self.rate:g} Hz, got {self.f_min} and {self.f_max}. Raise rate or lower f_max."
            )

    @property
    def channels(self) -> int:
        return self.cells // self.group

    def init_state(self) -> CochleaState:
        last, before = np.zeros((2, ORDER, self.cells), np.float32)
        level, previous = np.zeros(1, np.float32), np.zeros(2, np.float32)
        hair, nerve = hair_cells_at_rest(self.cells, np.float32), nerve_at_rest(self.cells, self.rate)
        return CochleaState(0, np.array([self.seed], np.uint64), level, previous, last, before, hair, nerve)

    def advance(self, wave: Wave, state: CochleaState) -> tuple[Tensor, CochleaState]:
        state = copy.deepcopy(state)
        keys = compiled(noise_keys)(wave, state.key).reshape(-1, self.hop)
        even = compiled(even_out)(wave, np.exp(-1000 / (self.release_ms * self.rate)), self.floor, state.level)
        ramp = np.minimum(1, (state.heard + np.arange(len(wave))) / max(self.ramp_ms * self.rate / 1000, 1))
        loud = (even * self.gain * ramp).astype(np.float32).reshape(-1, self.hop)
        bank = filter_bank(self.cells, self.f_min, self.f_max, self.quality, self.rate)
        # Integral over one sample of the synaptic current, which decays within it, through the leaky membrane.
        decays = np.exp(-1 / (MEMBRANE_S * self.rate)) - np.exp(-1 / (SYNAPSE_S * self.rate))
        charge = WEIGHT * decays / (1 / SYNAPSE_S - 1 / MEMBRANE_S)
        frames = np.empty((len(loud), self.channels), np.float32)
        for t, samples in enumerate(loud):
            motion = compiled(filter_wave)(samples, *bank, state.previous, state.last, state.before)
            compiled(exact_hair_cells)(motion, self.rate, *state.hair)
            frames[t] = _count(fire(motion, keys[t], state.nerve, self.rate, charge)[None], self.group)
        return torch.from_numpy(frames), state._replace(heard=state.heard + len(wave))


def _check_group(cells: int, group: int) -> None:
    if group < 1 or cells % group:
        raise InputError(f"group: expected a divisor of the {cells} cells, got {group}. Choose one, such as 1.")


def _fast_length(n: int) -> int:
    """Return the smallest number >= n without prime factors above 5."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def _window(wave: Wave, rms: float) -> NDArray[np.float64]:
    """Scale a clip to the given RMS and apply a Hann window of its length; a silent clip stays zero."""
    loudness = np.sqrt(np.mean(wave.astype(np.float64) ** 2))
    scaled = wave * (rms / loudness) if loudness > 0 else wave.astype(np.float64)
    half = len(wave) // 2
    rise = np.hanning(2 * half)[:half]
    scaled[:half] *= rise
    scaled[len(wave) - half :] *= rise[::-1]
    return scaled


def _count(spikes: NDArray[np.uint8], group: int) -> NDArray[np.float32]:
    """Sum spikes [T, N, C] over the N samples of a frame and over groups of neighbouring cells: counts [T, C / group]."""
    return np.asarray(spikes.sum(1, dtype=np.float32).reshape(len(spikes), -1, group).sum(2))
