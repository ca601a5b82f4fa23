"""Loops of the depthwise convolution, as plain Python that `specialise` compiles, vectorised over neighbouring channels."""

from typing import Any

import numpy as np

_TILE = 128
"""Channels per tile: the inputs that one step reads fit the first-level cache."""


def shift(x: Any, taps: Any, lead: int, y: Any, first: int, last: int) -> None:
    """y[b, t, c] = sum_lag taps[lag, c] * x[b, t + L - 1 - lead - lag, c] for batch rows first to last.

    Beyond its ends x is zero. Four lags are added at once.
    """
    length, channels = x.shape[1:]
    steps, count = y.shape[1], len(taps)
    for low in range(0, channels, _TILE):
        n = min(_TILE, channels - low)
        near = taps[:, low : low + n].copy()
        line = np.zeros((steps + count - 1, n), x.dtype)
        for b in range(first, last):
            line[lead : lead + length] = x[b, :, low : low + n]
            for t in range(steps):
                out = y[b, t, low : low + n]
                out[:] = 0
                newest = t + count - 1
                lag = 0
                while lag + 4 <= count:
                    p, q, r, s = near[lag], near[lag + 1], near[lag + 2], near[lag + 3]
                    a, d, e, f = line[newest - lag], line[newest - lag - 1], line[newest - lag - 2], line[newest - lag - 3]
                    for j in range(n):
                        out[j] += (p[j] * a[j] + q[j] * d[j]) + (r[j] * e[j] + s[j] * f[j])
                    lag += 4
                while lag < count:
                    p, a = near[lag], line[newest - lag]
                    for j in range(n):
                        out[j] += p[j] * a[j]
                    lag += 1


def shift_backward(x: Any, grad: Any, lead: int, grad_taps: Any, first: int, last: int) -> None:
    """The gradient of the taps, [L, C], for channels first to last, from x and the gradient of y [B, T, C]; four steps at once."""
    batch, length, _ = x.shape
    steps, count = grad.shape[1], len(grad_taps)
    for low in range(first, last, _TILE):
        n = min(_TILE, last - low)
        total = np.zeros((count, n), x.dtype)
        line = np.zeros((steps + count - 1, n), x.dtype)
        for b in range(batch):
            line[lead : lead + length] = x[b, :, low : low + n]
            t = 0
            while t + 4 <= steps:
                p, q = grad[b, t, low : low + n], grad[b, t + 1, low : low + n]
                r, s = grad[b, t + 2, low : low + n], grad[b, t + 3, low : low + n]
                for lag in range(count):
                    out, newest = total[lag], t + count - 1 - lag
                    a, d, e, f = line[newest], line[newest + 1], line[newest + 2], line[newest + 3]
                    for j in range(n):
                        out[j] += (p[j] * a[j] + q[j] * d[j]) + (r[j] * e[j] + s[j] * f[j])
                t += 4
            while t < steps:
                p = grad[b, t, low : low + n]
                for lag in range(count):
                    out, a = total[lag], line[t + count - 1 - lag]
                    for j in range(n):
                        out[j] += p[j] * a[j]
                t += 1
        grad_taps[:, low : low + n] = total
