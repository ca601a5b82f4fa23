"""Mel spectrogram of the published delay networks for the Speech Commands."""

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
    """Mel power in decibels, [T, n_mels] with T = N // hop + 1. Not causal: the window of frame t is centred at the start of the frame.

        x = 10 log10(max(mel(|stft|^2), 1e-10)),   Hann window, reflection padding at both ends of the clip

    The values are not normalised. As published, the filters extend to 14 kHz although the audio ends at 4 kHz, so 53 of the 140 filters are
    empty and give a constant -100 dB. `LogMel(n_mels=140, window_ms=32)` is a causal alternative for streams.

    Args:
        n_mels: number of filters, C.
        window: length of the window and of the Fourier transform, in samples.
        f_min: lower edge of the first filter, in Hz.
        f_max: upper edge of the last filter, in Hz.
    Raises:
        InputError: a field is out of range.
    Source: the released code of Hammouamri et al. (2024), arXiv 2306.17670, which uses torchaudio; audio is resampled by soxr here.
    """

    rate: int = 8_000
    n_mels: int = 140
    window: int = 256
    f_min: float = 50.0
    f_max: float = 14_000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, n_mels="[1, 10000]", window="[2, 1000000]", f_min="[0, inf)")
        if self.f_max <= self.f_min:
            raise InputError(f"f_max: expected more than f_min={self.f_min}, got {self.f_max}. Raise it or lower f_min.")

    @property
    def channels(self) -> int:
        return self.n_mels

    def encode(self, wave: Wave) -> Tensor:
        mirrored = np.pad(wave.astype(np.float64), self.window // 2, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(mirrored, self.window)[:: self.hop]
        power = np.abs(np.fft.rfft(windows * np.hanning(self.window + 1)[:-1])) ** 2
        energy = power @ mel_filters(self.n_mels, self.window, self.rate, self.f_min, self.f_max)
        return torch.from_numpy((10 * np.log10(np.maximum(energy, _FLOOR))).astype(np.float32))
