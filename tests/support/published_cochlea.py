"""The published spike encoder, formula by formula and sample by sample in plain numpy: slow, and independent of the library."""

import numpy as np
from scipy.special import hankel1, jv, yv

ALPHA, RHO, STIFFNESS, DELTA, HEIGHT, MASS, OFFSET = 3.0, 1.0, 1e9, 0.15, 0.1, 0.05, 3500.0
R = DELTA * np.sqrt(STIFFNESS * MASS)


def xi(w, c):
    return STIFFNESS * np.exp(-ALPHA * c) - OFFSET - MASS * w**2 - 1j * w * R * np.exp(-ALPHA * c / 2)


def small_g(w, c):
    return w * np.sqrt(RHO / (HEIGHT * xi(w, c)))


def big_g(w, c):
    s = np.sqrt(OFFSET + MASS * w**2)
    numerator = -ALPHA * np.sqrt(STIFFNESS - OFFSET - w * (MASS * w + 1j * R))
    numerator += 1j * ALPHA * (2 * OFFSET + w * (2 * MASS * w + 1j * R)) / (2 * s)
    inner = 1j * (2 * OFFSET + w * (2 * MASS * w + 1j * np.exp(-ALPHA * c / 2) * R)) / s
    inner -= 2 * np.sqrt(STIFFNESS * np.exp(-ALPHA * c) - OFFSET - MASS * w**2 - 1j * np.exp(-ALPHA * c / 2) * w * R)
    denominator = 0.5 * ALPHA * np.exp(ALPHA * c / 2) * inner
    integral = 2j * np.sqrt(2) * w * np.log(numerator / denominator) / (ALPHA * np.sqrt(2 * HEIGHT * (MASS * w**2 + OFFSET)))
    return 2 * small_g(w, 0.0) / ALPHA - integral


def pressure(w, c):
    return np.sqrt(big_g(w, c) / small_g(w, c)) * hankel1(0, big_g(w, c))


def velocity(w, c):
    kappa = 4 * np.pi * (w / (2 * np.pi)) / ALPHA * np.sqrt(2 / (HEIGHT * STIFFNESS))
    z = np.sqrt(2 * STIFFNESS / HEIGHT) * (1j * jv(0, kappa) + yv(0, kappa)) / (jv(1, kappa) - 1j * yv(1, kappa))
    return 2 * w / xi(w, c) * pressure(w, c) * z / pressure(w, 0.0)


def membrane(wave, rate, places):
    """Motion [N, places] at half the rate of a wave, at places between 0 and 3.5 cm."""
    x = np.array(wave, np.float64)
    x *= 0.3 / np.sqrt(np.mean(x**2))
    n = len(x) // 2
    window = np.hanning(2 * n)[:n]
    x[:n] *= window
    x[-n:] *= window[::-1]
    bins = len(x) // 2 + 1
    w = 2 * np.pi * np.linspace(1, rate // 2, bins)
    spectrum = np.fft.fft(x)[:bins]
    return np.stack([np.fft.ifft(velocity(w, c) * spectrum).real for c in places], 1)


def hair_cell(motion, rate):
    """Firing probability per sample for the motion of one place, [N]."""
    y, g, l, r, x, A, B, h, M = 5.05, 2000.0, 2500.0, 6580.0, 66.3, 5.0, 300.0, 5e4, 1.0  # noqa: E741
    k = g * A / (A + B)
    c = M * y * k / (l * k + y * (l + r))
    q = c * (l + r) / k
    w = c * r / x
    probability = []
    for s in motion + A:
        k = g / rate * s / (s + B) if s > 0 else 0.0
        replenish, eject, lose, retake, reprocess = y * max(M - q, 0) / rate, k * q, (l + r) * c / rate, r * c / rate, x * w / rate
        q = max(q + replenish - eject + reprocess, 0)
        c = max(c + eject - lose, 0)
        w = max(w + retake - reprocess, 0)
        probability.append(c * h / rate)
    return np.array(probability)


def fibres(probability, rate, rng, count=40):
    """How many of independent Bernoulli fibres with 1 ms of absolute refractoriness fire in each sample, [N]."""
    last = np.full(count, -np.inf)
    fired = []
    for n, p in enumerate(probability):
        fires = (rng.random(count) < p) & (n - last >= 0.001 * rate)
        last[fires] = n
        fired.append(fires.sum())
    return np.array(fired)


def bushy(fired, rate):
    """Spikes {0, 1} of one bushy cell, [N]."""
    current = v = 0.0
    rest = 0
    spikes = []
    for number in fired:
        current = current * np.exp(-1 / (rate * 0.5e-3)) + number
        v = v * np.exp(-1 / (rate * 1e-3)) + current * 13000 / 40 / rate if rest <= 0 else 0.0
        rest -= 1
        spikes.append(v >= 1)
        if v >= 1:
            v, rest = 0.0, round(0.001 * rate)
    return np.array(spikes, int)
