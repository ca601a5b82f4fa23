"""Log-mel frames: real-valued spectral features of audio."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core import State, expect_fields
from ...errors import InputError
from ..encoder import CausalEncoder
from .audio import Wave


@dataclass(frozen=True)
class LogMel(CausalEncoder):
    """Causal log-mel energies, [T, n_mels].

    Frame t is the power spectrum of the Hann-windowed last `window_ms` before the end of the frame, passed through triangular filters that
    are evenly spaced in mel, and normalised: (log10(energy + floor) - mean) / std. The normalisation is fixed and does not depend on the
    clip, so a stream gives the same frames; the defaults approximate the statistics of spoken digits.

    Args:
        n_mels: number of filters, C.
        window_ms: length of the analysis window, in ms.
        f_min: lower edge of the first filter, in Hz.
        f_max: upper edge of the last filter, in Hz; at most half of the sampling rate.
        floor: added to the energies; a full-scale sine has an energy of about 0.1.
        mean: mean of log10(energy + floor), which is subtracted; log10(floor) makes frames of silence zero.
        std: standard deviation of log10(energy + floor), by which frames are divided.
    Raises:
        InputError: a field is out of range, or the window is shorter than a frame.
    Source: mel scale 2595 log10(1 + f / 700), O'Shaughnessy (1987), "Speech Communication".
    """

    rate: int = 8_000
    n_mels: int = 40
    window_ms: float = 25.0
    f_min: float = 50.0
    f_max: float = 4_000.0
    floor: float = 1e-8
    mean: float = -5.0
    std: float = 1.5

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, n_mels="[1, 10000]", window_ms="(0, 10000]", floor="(0, inf)", mean="(-inf, inf)", std="(0, inf)")
        if not 0 <= self.f_min < self.f_max <= self.rate / 2:
            raise InputError(
                f"Expected 0 <= f_min < f_max <= {self.rate / 2} Hz, got {self.f_min} and {self.f_max}. Raise rate or lower f_max."
            )
        if self.window < self.hop:
            raise InputError(
                f"window_ms: expected at least dt_ms={self.dt_ms}, got {self.window_ms}. Use a longer window, so that no sample is skipped."
            )

    @property
    def channels(self) -> int:
        return self.n_mels

    @property
    def window(self) -> int:
        """Number of samples per analysis window."""
        return round(self.rate * self.window_ms / 1000)

    def init_state(self) -> State:
        return np.zeros(self.window - self.hop, np.float32)

    def advance(self, wave: Wave, state: State) -> tuple[Tensor, State]:
        past = np.concatenate([state, wave])
        windows = np.lib.stride_tricks.sliding_window_view(past, self.window)[:: self.hop]
        hann = np.hanning(self.window + 1)[:-1]
        spectrum = np.fft.rfft(windows * hann, n=_fft_size(self.window)) / hann.sum()
        energy = np.abs(spectrum) ** 2 @ mel_filters(self.n_mels, _fft_size(self.window), self.rate, self.f_min, self.f_max)
        frames = (np.log10(energy + self.floor) - self.mean) / self.std
        return torch.from_numpy(frames.astype(np.float32)), past[len(wave) :]


def _fft_size(window: int) -> int:
    """Return twice the next power of two: zero padding ensures that the narrow low filters contain frequency bins."""
    return int(2 ** (np.ceil(np.log2(window)) + 1))


@functools.cache
def mel_filters(n_mels: int, n_fft: int, rate: int, f_min: float, f_max: float) -> NDArray[np.float64]:
    """Compute triangular filters of height 1 between neighbouring points of an evenly spaced mel grid.

    Args:
        n_mels: number of filters.
        n_fft: length of the Fourier transform, in samples.
        rate: sampling rate, in Hz.
        f_min: lower edge of the first filter, in Hz.
        f_max: upper edge of the last filter, in Hz; at most half of the sampling rate.
    Returns:
        weights, [n_fft // 2 + 1, n_mels].
    """
    low, high = 2595 * np.log10(1 + np.array([f_min, f_max]) / 700)
    points = 700 * (10 ** (np.linspace(low, high, n_mels + 2) / 2595) - 1)
    frequency = np.arange(n_fft // 2 + 1)[:, None] * rate / n_fft
    left, centre, right = points[:-2], points[1:-1], points[2:]
    rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling))
