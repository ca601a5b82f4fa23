"""Loops of WKV over rows of a batch, tiles of channels and chunks of time that fit the cache. Exponents as in `layers.rwkv.wkv`.

`x` are the inputs, k and v [B, T, C], and `gx` their gradients; `varying` has the functions of a step for a third input, rates of decay.
Of each pair of exponentials, the larger is one and only the other is computed. Indices in the innermost loops are unsigned, because
numba tests signed indices for negative values, which prevents vectorisation.
"""

from typing import Any

import numpy as np

# `specialise` binds these.
exponential: Any = None
advance: Any = None
pullback: Any = None

_ZERO, _ONE = np.float32(0), np.float32(1)


def advance_at_one_rate(x: Any, at: Any, s: Any, now: Any, then: Any, p: Any) -> None:
    """The sums s[then] after a step from s[now]; s is [., 3, width] and p the rate and the bonus, [2, width]."""
    (k, v), (b, t, low, count) = x, at
    for j in range(count):
        key, faded = k[b, t, low + j], s[now, 2, j] - p[0, j]
        less = exponential(-abs(faded - key))
        past, new = (_ONE, less) if faded >= key else (less, _ONE)
        s[then, 0, j] = past * s[now, 0, j] + new * v[b, t, low + j]
        s[then, 1, j] = past * s[now, 1, j] + new
        s[then, 2, j] = max(faded, key)


def answer(x: Any, at: Any, s: Any, now: Any, p: Any, y: Any) -> None:
    """The output y of a step from s[now]; the bonus is the last row of p."""
    k, v = x[:2]
    b, t, low, count = at
    for j in range(count):
        scale, key = s[now, 2, j], p[-1, j] + k[b, t, low + j]
        less = exponential(-abs(scale - key))
        past, new = (_ONE, less) if scale >= key else (less, _ONE)
        y[b, t, low + j] = (past * s[now, 0, j] + new * v[b, t, low + j]) / (past * s[now, 1, j] + new)


def pullback_at_one_rate(x: Any, at: Any, s: Any, now: Any, p: Any, gy: Any, g: Any, gp: Any, gx: Any) -> None:
    """Turn g [2, width], the gradient of both sums after the step, into that before it; write gx, add to gp."""
    (k, v), (gk, gv), (b, t, low, count) = x, gx, at
    for j in range(count):
        key, value = k[b, t, low + j], v[b, t, low + j]
        aa, bb, scale = s[now, 0, j], s[now, 1, j], s[now, 2, j]
        faded = scale - p[0, j]
        less = exponential(-abs(faded - key))
        past, new = (_ONE, less) if faded >= key else (less, _ONE)
        ga, gb = g[0, j], g[1, j]
        to_key = new * (ga * value + gb)
        to_value = new * ga
        gp[0, j] -= past * (ga * aa + gb * bb)
        ga, gb = past * ga, past * gb
        boosted = p[1, j] + key
        less = exponential(-abs(scale - boosted))
        past, new = (_ONE, less) if scale >= boosted else (less, _ONE)
        share = _ONE / (past * bb + new)
        y = (past * aa + new * value) * share
        share *= gy[b, t, low + j]
        to_bonus = share * new * (value - y)
        gp[1, j] += to_bonus
        gk[b, t, low + j] = to_key + to_bonus
        gv[b, t, low + j] = to_value + share * new
        g[0, j] = ga + share * past
        g[1, j] = gb - share * past * y


def forward(
    x: Any, params: Any, start: Any, valid: Any, y: Any, end: Any, marks: Any, width: int, every: int, first: int, last: int
) -> None:
    """Tiles first .. last - 1 of y [B, T, C], of the sums at the end [3, B, C], and of those before every `every`-th step, `marks`."""
    steps, columns = x[0].shape[1:]
    tiles = (columns + width - 1) // width
    s = np.empty((2, 3, width), np.float32)
    p = np.empty((len(params), width), np.float32)
    for tile in range(first, last):
        b = tile // tiles
        low = tile % tiles * width
        high = min(low + width, columns)
        s[0, :, : high - low] = start[:, b, low:high]
        p[:, : high - low] = params[:, low:high]
        now, then = np.uintp(0), np.uintp(1)
        for t in range(steps):
            if t % every == 0:
                marks[t // every, :, b, low:high] = s[now, :, : high - low]
            if valid[b, t]:
                at = np.uintp(b), np.uintp(t), np.uintp(low), np.uintp(high - low)
                answer(x, at, s, now, p, y)
                advance(x, at, s, now, then, p)
                now, then = then, now
            else:
                y[b, t, low:high] = 0
        end[:, b, low:high] = s[now, :, : high - low]


def backward(
    x: Any, params: Any, marks: Any, valid: Any, gy: Any, gend: Any, gx: Any, gparams: Any, gstart: Any,
    width: int, every: int, first: int, last: int,
) -> None:  # fmt: skip
    """Tiles first .. last - 1 of the gradients of x, of the parameters, one per row [m, B, C], and of the first sums [2, B, C].

    The sums are computed again from x, a chunk of `every` steps at a time.
    """
    steps, columns = x[0].shape[1:]
    tiles = (columns + width - 1) // width
    s = np.empty((every + 1, 3, width), np.float32)
    p = np.empty((len(params), width), np.float32)
    g = np.empty((2, width), np.float32)
    gp = np.empty((len(params), width), np.float32)
    for tile in range(first, last):
        b = tile // tiles
        low = tile % tiles * width
        high = min(low + width, columns)
        p[:, : high - low] = params[:, low:high]
        g[:, : high - low] = gend[:, b, low:high]
        gp[:] = 0
        for chunk in range(len(marks) - 1, -1, -1):
            begin = chunk * every
            length = min(every, steps - begin)
            s[0, :, : high - low] = marks[chunk, :, b, low:high]
            for i in range(length - 1):
                if valid[b, begin + i]:
                    at = np.uintp(b), np.uintp(begin + i), np.uintp(low), np.uintp(high - low)
                    advance(x, at, s, np.uintp(i), np.uintp(i + 1), p)
                else:
                    s[i + 1] = s[i]
            for i in range(length - 1, -1, -1):
                if valid[b, begin + i]:
                    at = np.uintp(b), np.uintp(begin + i), np.uintp(low), np.uintp(high - low)
                    pullback(x, at, s, np.uintp(i), p, gy, g, gp, gx)
                else:
                    for gradient in gx:
                        gradient[b, begin + i, low:high] = 0
        gparams[:, b, low:high] = gp[:, : high - low]
        gstart[:, b, low:high] = g[:, : high - low]
