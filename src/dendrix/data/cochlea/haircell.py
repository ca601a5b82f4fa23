"""Inner hair cells: membrane velocity to firing probability of the auditory nerve fibres.

Transmitter moves between three pools: q, free in the cell; c, in the cleft; w, in reprocessing. With S = velocity + A:

    k = G * S / (S + B) if S > 0 else 0           permeability, per second
    dq/dt = Y * max(M - q, 0) + X * w - k * q
    dc/dt = k * q - (L + R) * c
    dw/dt = R * c - X * w
    firing rate of a fibre = H * c                per second

Source: Meddis (1986), "Simulation of mechanical to neural transduction in the auditory receptor", and Meddis (1988).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Y, G, L, R, X, A, B, H, M = 5.05, 2000.0, 2500.0, 6580.0, 66.3, 5.0, 300.0, 50_000.0, 1.0


class HairCellState(NamedTuple):
    """Transmitter pools of each channel, [C]."""

    q: NDArray[np.floating]
    c: NDArray[np.floating]
    w: NDArray[np.floating]


def hair_cells_at_rest(channels: int, dtype: type[np.floating]) -> HairCellState:
    """Return the equilibrium in silence for `channels` cells."""
    k = G * A / (A + B)
    c = M * Y * k / (L * k + Y * (L + R))
    return HairCellState(*(np.full(channels, pool, dtype) for pool in (c * (L + R) / k, c, c * R / X)))


def euler_hair_cells(
    motion: NDArray[np.float64], rate: float, q: NDArray[np.float64], c: NDArray[np.float64], w: NDArray[np.float64]
) -> None:
    """Integrate the published model with explicit Euler steps, in place. Stable only if (L + R) / rate is well below 2.

    Args:
        motion: membrane velocity, [N, C]; overwritten with the firing probability per sample.
        rate: sampling rate, in Hz; 24,000 in the published recordings.
        q, c, w: pools, [C], updated in place.
    """
    for n in range(motion.shape[0]):
        for i in range(motion.shape[1]):
            s = motion[n, i] + A
            k = G / rate * s / (s + B) if s > 0 else 0.0
            replenished = Y * max(M - q[i], 0.0) / rate
            ejected = k * q[i]
            lost = (L + R) * c[i] / rate
            retaken = R * c[i] / rate
            reprocessed = X * w[i] / rate
            q[i] = max(q[i] + replenished + reprocessed - ejected, 0.0)
            c[i] = max(c[i] + ejected - lost, 0.0)
            w[i] = max(w[i] + retaken - reprocessed, 0.0)
            motion[n, i] = H * c[i] / rate


def exact_hair_cells(
    motion: NDArray[np.float32], rate: float, q: NDArray[np.float32], c: NDArray[np.float32], w: NDArray[np.float32]
) -> None:
    """Integrate the model in place with a scheme that is stable at any sampling rate. Arguments as in `euler_hair_cells`.

    q and w are advanced by a trapezoidal step, which conserves transmitter. c, the fast variable, is integrated exactly. The firing
    probability is 1 - exp(-z), where z is H times the integral of c over the sample.
    """
    dt = np.float32(1 / rate)
    half = np.float32(0.5 / rate)
    kept = np.float32(np.exp(-(L + R) / rate))
    mean = np.float32((1 - np.exp(-(L + R) / rate)) * rate / (L + R))
    settled = np.float32(0.5 / (L + R))
    y, g, x, a, b = np.float32(Y), np.float32(G), np.float32(X), np.float32(A), np.float32(B)
    retaken, fired = np.float32(R / rate), np.float32(H / rate)
    one, two, twelfth, zero = np.float32(1), np.float32(2), np.float32(1 / 12), np.float32(0)
    for n in range(motion.shape[0]):
        for i in range(motion.shape[1]):
            s = max(motion[n, i] + a, zero)
            k = g * s / (s + b)
            refill = y if q[i] < np.float32(M) else zero
            out = half * (refill + k)
            before = q[i]
            q[i] = (before * (one - out) + dt * (refill * np.float32(M) + x * w[i])) / (one + out)
            level = settled * k * (before + q[i])
            cleft = level + (c[i] - level) * mean
            c[i] = level + (c[i] - level) * kept
            w[i] = (w[i] * (one - half * x) + retaken * cleft) / (one + half * x)
            z = fired * cleft
            motion[n, i] = two * z / (two + z + z * z * two * twelfth)  # 1 - exp(-z) to 0.1 % for z < 1, cheaper than an exponential
