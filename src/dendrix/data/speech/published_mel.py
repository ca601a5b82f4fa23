"""The mel spectrogram that the published networks with delays hear the Speech Commands through."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...core import expect_fields
from ...errors import InputError
from ..encoder import Encoder
from .audio import Wave
from .mel import mel_filters

_FLOOR = 1e-10


@dataclass(frozen=True)
class PublishedMel(Encoder):
    """Mel power in decibels, [T, n_mels] with T = N // hop + 1. Not causal: frame t is centred at its start and looks half a window ahead.

        x = 10 log10(max(mel(|stft|^2), 1e-10)),   Hann window, the clip mirrored at both ends

    Values are as they are, not normalised. As published, the filters reach to 14 kHz and the sound to 4 kHz, so that 53 of 140 are empty
    and stay at -100 dB. For streams, `LogMel(n_mels=140, window_ms=32)` is the causal form.

    Args:
        n_mels: number of filters, C.
        window: samples of the window and of the Fourier transform.
        f_min, f_max: lower edge of the first and upper edge of the last filter, in Hz.
    Source: Hammouamri et al. (2024), arXiv 2306.17670, as its code does with torchaudio; sound is resampled by soxr here.
    """

    rate: int = 8_000
    n_mels: int = 140
    window: int = 256
    f_min: float = 50.0
    f_max: float = 14_000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, n_mels="[1, inf)", window="[2, inf)", f_min="[0, inf)")
        if self.f_max <= self.f_min:
            raise InputError(f"f_max: expected more than f_min={self.f_min}, got {self.f_max}.")

    @property
    def channels(self) -> int:
        return self.n_mels

    def encode(self, wave: Wave) -> Tensor:
        mirrored = np.pad(wave.astype(np.float64), self.window // 2, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(mirrored, self.window)[:: self.hop]
        power = np.abs(np.fft.rfft(windows * np.hanning(self.window + 1)[:-1])) ** 2
        energy = power @ mel_filters(self.n_mels, self.window, self.rate, self.f_min, self.f_max)
        return torch.from_numpy((10 * np.log10(np.maximum(energy, _FLOOR))).astype(np.float32))
