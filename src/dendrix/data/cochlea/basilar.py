"""Basilar membrane of the published spike encoder: velocity of each place along the cochlea.

Source: Sieroka, Dosch & Rupp (2006), "Semirealistic models of the cochlea", with the parameters of Cramer et al. (2020), arXiv 1910.07407.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from ...compiled import compiled
from ...errors import MissingExtraError

STIFFNESS, DECAY, DENSITY, DAMPING, HEIGHT, MASS, OFFSET = 1e9, 3.0, 1.0, 0.15, 0.1, 0.05, 3500.0
RESISTANCE = DAMPING * np.sqrt(STIFFNESS * MASS)
PLACES = 700
"""Number of places along the membrane, one cell each."""
LENGTH = 3.5
"""Length of the membrane in cm, from the base (high frequencies, cell 0) to the apex."""

_GRID = 4096
_NODES = np.arange(8) - 3


def response(omega: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Compute the velocity of the membrane in response to a tone of unit amplitude.

    With xi the impedance at a place and G the phase of the travelling wave at that place (both complex):

        response = 2 omega / xi * p(place) / p(0) * z,   p = sqrt(G / g) * H0(G)

    The wave is exp(-i omega t). The published encoder uses the result with the opposite sign convention, which makes the response of every
    place precede the sound.

    Args:
        omega: angular frequency, in rad/s, broadcastable with `place`.
        place: distance from the base, in cm.
    Returns:
        complex velocity, in the broadcast shape.
    Raises:
        MissingExtraError: scipy is not installed.
    """
    try:
        from scipy.special import hankel1e, jv, yv
    except Exception as missing:
        raise MissingExtraError.of("The cochlea needs", "scipy", "audio", missing) from missing
    root = np.sqrt(2 / (HEIGHT * STIFFNESS))
    kappa = 2 * omega / DECAY * root
    z = 2 / (HEIGHT * root) * (1j * jv(0, kappa) + yv(0, kappa)) / (jv(1, kappa) - 1j * yv(1, kappa))
    g, phase = _wave(omega, place)
    g_base, phase_base = _wave(omega, np.zeros(1))
    # hankel1e(x) = hankel1(x) exp(-i x): the exponential alone would underflow, so it is applied to the ratio.
    pressure = np.sqrt(phase / g) * hankel1e(0, phase) / (np.sqrt(phase_base / g_base) * hankel1e(0, phase_base))
    velocity = 2 * omega / _impedance(omega, place) * pressure * np.exp(1j * (phase - phase_base)) * z
    return np.asarray(velocity)


def _impedance(omega: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.complex128]:
    friction = 1j * omega * RESISTANCE * np.exp(-DECAY * place / 2)
    return np.asarray(STIFFNESS * np.exp(-DECAY * place) - OFFSET - MASS * omega**2 - friction)


def _wave(omega: NDArray[np.float64], place: NDArray[np.float64]) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return the local wave number g and its integral G, the phase."""
    inertia = OFFSET + MASS * omega**2
    narrowing = np.exp(-DECAY * place / 2)

    def slope(friction: NDArray[np.complex128]) -> NDArray[np.complex128]:
        return np.asarray(1j * (2 * OFFSET + omega * (2 * MASS * omega + 1j * friction)) / (2 * np.sqrt(inertia)))

    friction = RESISTANCE * narrowing
    impedance_base = _impedance(omega, np.zeros(1))
    at_base = -np.sqrt(impedance_base) + slope(RESISTANCE + 0j)
    here = (-np.sqrt(_impedance(omega, place)) + slope(friction + 0j)) / narrowing
    g = omega * np.sqrt(DENSITY / (HEIGHT * _impedance(omega, place)))
    g_base = omega * np.sqrt(DENSITY / (HEIGHT * impedance_base))
    phase = 2 * g_base / DECAY - 2j * np.sqrt(2) * omega * np.log(at_base / here) / (DECAY * np.sqrt(2 * HEIGHT * inertia))
    return np.asarray(g), np.asarray(phase)


@functools.cache
def _response_table(highest: int) -> NDArray[np.complex128]:
    """Return the response of all places on an even grid of log frequency from 1 Hz to `highest`, extended by the interpolation stencil."""
    steps = np.arange(_GRID + len(_NODES)) + _NODES[0]
    omega = 2 * np.pi * float(highest) ** (steps / (_GRID - 1))
    return response(omega[:, None], np.linspace(0, LENGTH, PLACES)[None])


def membrane_motion(spectrum: NDArray[np.complex128], rate: int, first: int, last: int) -> NDArray[np.float64]:
    """Compute the velocity of a range of places at half the sampling rate of the sound.

    Args:
        spectrum: first N = length // 2 + 1 bins of the discrete Fourier transform of the sound.
        rate: sampling rate of the sound, in Hz.
        first, last: places `first` to `last` - 1.
    Returns:
        Re ifft(response * spectrum) over the N bins, [N, last - first], with the bins at linspace(1, rate // 2, N) Hz, as published. The
        response is interpolated from a table; the error is below 1e-9 of the maximum of each place.
    """
    bins = len(spectrum)
    hertz = np.linspace(1, rate // 2, bins)
    position = np.log(hertz) / np.log(rate // 2) * (_GRID - 1)
    start = np.minimum(position.astype(np.int64), _GRID - 2)
    offset = position - start
    weights = np.stack([np.prod([(offset - m) / (node - m) for m in _NODES if m != node], 0) for node in _NODES], 1)
    half = compiled(_filtered_half)(_response_table(rate // 2), start, weights, spectrum, first, last)
    motion: NDArray[np.float64] = np.fft.irfft(half, n=bins, axis=0)
    return motion


def _filtered_half(
    table: NDArray[np.complex128],
    start: NDArray[np.int64],
    weights: NDArray[np.float64],
    spectrum: NDArray[np.complex128],
    first: int,
    last: int,
) -> NDArray[np.complex128]:
    """Return the first half of the Hermitian part of response * spectrum, [N // 2 + 1, last - first].

    Its inverse transform is the real part of the inverse transform of the whole, at half the cost.
    """
    bins, places = len(spectrum), last - first
    half = np.zeros((bins // 2 + 1, places), np.complex128)
    value = np.empty(places, np.complex128)
    for n in range(bins // 2 + 1):
        for mirrored in range(2):
            m = (bins - n) % bins if mirrored else n
            value[:] = 0
            for j in range(weights.shape[1]):
                node = table[start[m] + j, first:last]
                for i in range(places):
                    value[i] += weights[m, j] * node[i]
            for i in range(places):
                product = 0.5 * spectrum[m] * value[i]
                half[n, i] += np.conj(product) if mirrored else product
    return half
