"""A causal filter bank with the tuning of the published membrane: all-pole gammatone filters with a zero at 0 Hz.

Four resonators of one frequency in a row, after a difference: shallow below the peak and steep above it, as a travelling wave.
Source: Lyon (1997), "All-pole models of auditory filtering"; the constants are our least-squares fit to `basilar.response`, good to 3 dB
over a range of 40 dB.
"""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .basilar import LENGTH, response

ORDER = 4
RESONANCE, QUALITY = 0.9, 1.33
"""Frequency of the resonators over that of the peak, and their quality."""


class FilterBank(NamedTuple):
    """Coefficients of C filters: each resonator is y[n] = drive * x[n] + near * y[n - 1] + far * y[n - 2]."""

    drive: NDArray[np.float32]
    near: NDArray[np.float32]
    far: NDArray[np.float32]


@functools.cache
def filter_bank(cells: int, f_min: float, f_max: float, rate: int) -> FilterBank:
    """Filters with peaks evenly spaced in log frequency, from `f_max` (cell 0) to `f_min`, in Hz.

    Each is as sensitive at its peak as the published membrane is at the place of that peak.
    """
    peak = np.geomspace(f_max, f_min, cells)
    pole = np.exp(2 * np.pi * RESONANCE * peak / rate * (-1 / (2 * QUALITY) + 1j * np.sqrt(1 - 1 / (4 * QUALITY**2))))
    near, far = 2 * pole.real, -(np.abs(pole) ** 2)
    around = peak * np.linspace(0.5, 1.1, 121)[:, None]
    delay = np.exp(-2j * np.pi * around / rate)
    largest = np.abs((1 - delay) / (1 - near * delay - far * delay**2) ** ORDER).max(0)
    drive = (_sensitivity(peak) / largest) ** (1 / ORDER)
    return FilterBank(*(values.astype(np.float32) for values in (drive, near, far)))


def _sensitivity(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest response of the published membrane to a tone, at the place where that tone is loudest of its neighbours."""
    places = np.linspace(0.3, LENGTH, 33)
    tones = np.geomspace(60, 20_000, 600)
    size = np.abs(response(2 * np.pi * tones[:, None], places[None]))
    best = tones[size.argmax(0)]
    return np.asarray(np.interp(np.log(frequency), np.log(best[::-1]), size.max(0)[::-1]))


def filter_wave(
    wave: NDArray[np.float32],
    drive: NDArray[np.float32],
    near: NDArray[np.float32],
    far: NDArray[np.float32],
    previous: NDArray[np.float32],
    last: NDArray[np.float32],
    before: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The motion [N, C] for a wave [N].

    Args:
        wave: [N].
        drive, near, far: of the `FilterBank`.
        previous: the last sample, [1], and `last`, `before`: the last two outputs of each resonator, [ORDER, C]; advanced in place.
    """
    motion = np.empty((len(wave), len(drive)), np.float32)
    for n in range(len(wave)):
        motion[n] = wave[n] - previous[0]
        previous[0] = wave[n]
        for stage in range(last.shape[0]):
            one, two = last[stage], before[stage]
            for i in range(len(drive)):
                y = drive[i] * motion[n, i] + near[i] * one[i] + far[i] * two[i]
                two[i] = one[i]
                one[i] = y
                motion[n, i] = y
    return motion
