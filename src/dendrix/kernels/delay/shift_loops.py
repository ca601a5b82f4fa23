"""Loops of the depthwise convolution, as plain Python that `specialise` compiles, vectorised over neighbouring channels.

Indices in the innermost loops are unsigned, because numba tests signed indices for negative values, which prevents vectorisation.
"""

from typing import Any

import numpy as np


def tile(channels: int) -> int:
    """Channels per tile: each inner loop has a start-up cost, and the inputs of a tile fit the second-level cache.

    Rows begin cache lines, and an odd number of them: at powers of two, a load waits for stores with the same last bits of the address.
    """
    return (min(256, channels) + 15) // 16 * 16 | 16


def add_square(taps: Any, lag: Any, line: Any, newest: Any, y: Any, at: Any) -> None:
    """Add the products of four lags to four steps of y: most rows of the line serve several steps. See `add_lags`."""
    b, t, low, n = at
    lag1, lag2, lag3 = lag + np.uintp(1), lag + np.uintp(2), lag + np.uintp(3)
    t1, t2, t3 = t + np.uintp(1), t + np.uintp(2), t + np.uintp(3)
    now = newest - lag
    old1, old2, old3 = now - np.uintp(1), now - np.uintp(2), now - np.uintp(3)
    new1, new2, new3 = now + np.uintp(1), now + np.uintp(2), now + np.uintp(3)
    for j in range(n):
        p, q, r, s = taps[lag, j], taps[lag1, j], taps[lag2, j], taps[lag3, j]
        a, d, e, f = line[now, j], line[old1, j], line[old2, j], line[old3, j]
        u, v, w = line[new1, j], line[new2, j], line[new3, j]
        y[b, t, low + j] += (p * a + q * d) + (r * e + s * f)
        y[b, t1, low + j] += (p * u + q * a) + (r * d + s * e)
        y[b, t2, low + j] += (p * v + q * u) + (r * a + s * d)
        y[b, t3, low + j] += (p * w + q * v) + (r * u + s * a)


def add_lags(taps: Any, lag: Any, line: Any, newest: Any, y: Any, at: Any) -> None:
    """Add the products of four lags to one step of y; `newest` is the row of the line at lag 0."""
    b, t, low, n = at
    second, third, fourth = lag + np.uintp(1), lag + np.uintp(2), lag + np.uintp(3)
    a, d, e, f = newest - lag, newest - second, newest - third, newest - fourth
    for j in range(n):
        near = taps[lag, j] * line[a, j] + taps[second, j] * line[d, j]
        y[b, t, low + j] += near + (taps[third, j] * line[e, j] + taps[fourth, j] * line[f, j])


def add_lag(taps: Any, lag: Any, line: Any, newest: Any, y: Any, at: Any) -> None:
    """As `add_lags`, with one lag."""
    b, t, low, n = at
    a = newest - lag
    for j in range(n):
        y[b, t, low + j] += taps[lag, j] * line[a, j]


def add_grad_square(grad: Any, at: Any, line: Any, oldest: Any, total: Any, lag: Any) -> None:
    """Add the products of four steps to the gradients of four lags. See `add_steps`."""
    b, t, low, n = at
    lag1, lag2, lag3 = lag + np.uintp(1), lag + np.uintp(2), lag + np.uintp(3)
    t1, t2, t3 = t + np.uintp(1), t + np.uintp(2), t + np.uintp(3)
    old1, old2, old3 = oldest - np.uintp(1), oldest - np.uintp(2), oldest - np.uintp(3)
    new1, new2, new3 = oldest + np.uintp(1), oldest + np.uintp(2), oldest + np.uintp(3)
    for j in range(n):
        p, q, r, s = grad[b, t, low + j], grad[b, t1, low + j], grad[b, t2, low + j], grad[b, t3, low + j]
        a, d, e, f = line[oldest, j], line[old1, j], line[old2, j], line[old3, j]
        u, v, w = line[new1, j], line[new2, j], line[new3, j]
        total[lag, j] += (p * a + q * u) + (r * v + s * w)
        total[lag1, j] += (p * d + q * a) + (r * u + s * v)
        total[lag2, j] += (p * e + q * d) + (r * a + s * u)
        total[lag3, j] += (p * f + q * e) + (r * d + s * a)


def add_steps(grad: Any, at: Any, line: Any, oldest: Any, total: Any, lag: Any) -> None:
    """Add the products of four steps to the gradient of one lag; `oldest` is the row of the line of the first of these steps."""
    b, t, low, n = at
    second, third, fourth = t + np.uintp(1), t + np.uintp(2), t + np.uintp(3)
    d, e, f = oldest + np.uintp(1), oldest + np.uintp(2), oldest + np.uintp(3)
    for j in range(n):
        early = grad[b, t, low + j] * line[oldest, j] + grad[b, second, low + j] * line[d, j]
        total[lag, j] += early + (grad[b, third, low + j] * line[e, j] + grad[b, fourth, low + j] * line[f, j])


def add_step(grad: Any, at: Any, line: Any, oldest: Any, total: Any, lag: Any) -> None:
    """As `add_steps`, with one step."""
    b, t, low, n = at
    for j in range(n):
        total[lag, j] += grad[b, t, low + j] * line[oldest, j]


# `specialise` binds the compiled copies.
square: Any = add_square
grad_square: Any = add_grad_square
several_lags: Any = add_lags
one_lag: Any = add_lag
several_steps: Any = add_steps
one_step: Any = add_step


def shift(x: Any, taps: Any, lead: int, y: Any, near: Any, line: Any, first: int, last: int) -> None:
    """y[b, t, c] = sum_lag taps[lag, c] * x[b, t + L - 1 - lead - lag, c] for batch rows first to last; beyond its ends x is zero.

    near [L, tile] and line [T + L - 1, tile] of zeros are memory of this thread.
    """
    length, channels = x.shape[1], x.shape[2]
    steps, count, tile = y.shape[1], len(taps), near.shape[1]
    for begin in range(0, channels, tile):
        low, n = np.uintp(begin), np.uintp(min(tile, channels - begin))
        for lag in range(count):
            for j in range(n):
                near[lag, j] = taps[lag, low + j]
        for b in range(first, last):
            for t in range(length):
                for j in range(n):
                    line[lead + t, j] = x[b, t, low + j]
            for t in range(steps):
                for j in range(n):
                    y[b, t, low + j] = 0
            for t in range(0, steps - 3, 4):
                at = np.uintp(b), np.uintp(t), low, n
                for lag in range(0, count - 3, 4):
                    square(near, np.uintp(lag), line, np.uintp(t + count - 1), y, at)
            for t in range(steps):
                at = np.uintp(b), np.uintp(t), low, n
                if t >= steps // 4 * 4:
                    for lag in range(0, count - 3, 4):
                        several_lags(near, np.uintp(lag), line, np.uintp(t + count - 1), y, at)
                for lag in range(count // 4 * 4, count):
                    one_lag(near, np.uintp(lag), line, np.uintp(t + count - 1), y, at)


def shift_backward(x: Any, grad: Any, lead: int, grad_taps: Any, total: Any, line: Any, first: int, last: int) -> None:
    """The gradient of the taps, [L, C], for channels first to last, from x and the gradient of y [B, T, C].

    total [L, tile] and line [T + L - 1, tile] of zeros are memory of this thread.
    """
    batch, length = x.shape[0], x.shape[1]
    steps, count, tile = grad.shape[1], len(grad_taps), total.shape[1]
    for begin in range(first, last, tile):
        low, n = np.uintp(begin), np.uintp(min(tile, last - begin))
        for lag in range(count):
            for j in range(n):
                total[lag, j] = 0
        for b in range(batch):
            for t in range(length):
                for j in range(n):
                    line[lead + t, j] = x[b, t, low + j]
            for t in range(0, steps - 3, 4):
                at = np.uintp(b), np.uintp(t), low, n
                for lag in range(0, count - 3, 4):
                    grad_square(grad, at, line, np.uintp(t + count - 1 - lag), total, np.uintp(lag))
                for lag in range(count // 4 * 4, count):
                    several_steps(grad, at, line, np.uintp(t + count - 1 - lag), total, np.uintp(lag))
            for t in range(steps // 4 * 4, steps):
                at = np.uintp(b), np.uintp(t), low, n
                for lag in range(count):
                    one_step(grad, at, line, np.uintp(t + count - 1 - lag), total, np.uintp(lag))
        for lag in range(count):
            for j in range(n):
                grad_taps[lag, low + j] = total[lag, j]
