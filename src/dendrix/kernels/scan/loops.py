"""Loops of every fused scan, over rows of a batch, tiles of columns and chunks of time that fit the cache.

A rule defines two functions over one tile at one time step. `at` is (row, step, first column, number of columns), `s` [., n, width]
holds its n states before and after steps, `p` [m, width] its m parameters, and `c` is (v_threshold, v_reset, amplitude, sharpness).

    advance(x, at, s, now, then, p, c, y)     reads s[now], writes s[then] and, where `emits` is bound to True, y
    pullback(x, at, s, now, p, c, g, gp, gx)  s[now] is the state before the step; finds the gradient of y in gx and leaves that of
                                              x there; turns g, the gradient of the state after the step, into that of the state
                                              before it; adds to gp

Indices in the innermost loops are unsigned, because numba tests signed indices for negative values, which prevents vectorisation.
"""

from typing import Any

import numpy as np

# `specialise` binds these to the functions of a rule.
advance: Any = None
retrace: Any = None
pullback: Any = None
copy_row: Any = None


def copy_one_row(source: Any, at: Any, target: Any) -> None:
    """Copy one step of one tile."""
    b, t, low, count = at
    for j in range(count):
        target[b, t, low + j] = source[b, t, low + j]


def forward(
    x: Any, start: Any, params: Any, c: Any, valid: Any, y: Any, end: Any, marks: Any, width: int, every: int, first: int, last: int
) -> None:
    """Tiles first .. last - 1 of y [B, T, M], of the states at the end [n, B, M], and of those before every `every`-th step, `marks`.

    Tile i is row i // tiles and the i % tiles-th `width` columns.
    """
    steps, columns = x.shape[1:]
    tiles = (columns + width - 1) // width
    s = np.empty((2, len(start), width), np.float32)
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
                advance(x, (np.uintp(b), np.uintp(t), np.uintp(low), np.uintp(high - low)), s, now, then, p, c, y)
                now, then = then, now
            else:
                y[b, t, low:high] = 0
        end[:, b, low:high] = s[now, :, : high - low]


def backward(
    x: Any, marks: Any, params: Any, c: Any, valid: Any, gy: Any, gend: Any, gx: Any, gstart: Any, gparams: Any,
    width: int, every: int, first: int, last: int,
) -> None:  # fmt: skip
    """Tiles first .. last - 1 of the gradients of x, of the first state [n, B, M] and of the parameters, one per row [m, B, M].

    The states are recomputed from x, a chunk of `every` steps at a time. Main memory is read at ascending addresses, for prefetching: the
    ascending half also loads gy, and the descending half reads from the cache.
    """
    steps, columns = x.shape[1:]
    tiles = (columns + width - 1) // width
    s = np.empty((every + 1, len(gend), width), np.float32)
    g = np.empty((len(gend), width), np.float32)
    p = np.empty((len(params), width), np.float32)
    gp = np.empty((len(params), width), np.float32)
    for tile in range(first, last):
        b = tile // tiles
        low = tile % tiles * width
        high = min(low + width, columns)
        p[:, : high - low] = params[:, low:high]
        gp[:] = 0
        g[:, : high - low] = gend[:, b, low:high]
        for chunk in range(len(marks) - 1, -1, -1):
            begin = chunk * every
            length = min(every, steps - begin)
            s[0, :, : high - low] = marks[chunk, :, b, low:high]
            for k in range(length):
                at = np.uintp(b), np.uintp(begin + k), np.uintp(low), np.uintp(high - low)
                if valid[b, begin + k]:
                    copy_row(gy, at, gx)
                    retrace(x, at, s, np.uintp(k), np.uintp(k + 1), p, c, gx)
                else:
                    s[k + 1] = s[k]
                    gx[b, begin + k, low:high] = 0
            for k in range(length - 1, -1, -1):
                if valid[b, begin + k]:
                    at = np.uintp(b), np.uintp(begin + k), np.uintp(low), np.uintp(high - low)
                    pullback(x, at, s, np.uintp(k), p, c, g, gp, gx)
        gstart[:, b, low:high] = g[:, : high - low]
        gparams[:, b, low:high] = gp[:, : high - low]
