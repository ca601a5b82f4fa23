"""Loops of every fused scan, over rows of a batch, tiles of columns and chunks of time that fit the cache.

A rule defines two functions over one tile at one time step. `at` is (row, step, first column, number of columns), `s` [., n, width]
holds its n states before and after steps, `p` [m, width] its m parameters, and `c` is (v_threshold, v_reset, amplitude, sharpness).

    advance(x, at, s, now, then, p, c, y, gy)  reads s[now], writes s[then] and y: the output of the step, or a copy of gy if `emits` is
                                               bound to False
    pullback(x, at, s, now, p, c, g, gp, gx)   s[now] is the state before the step; finds the gradient of y in gx and leaves that of
                                               x there; turns g, the gradient of the state after the step, into that of the state
                                               before it; adds to gp

Indices in the innermost loops are unsigned, because numba tests signed indices for negative values, which prevents vectorisation.

In LIF at T = 100 on a Zen 5, the forward loop takes 1.1 to 1.2 times as long as the bare stream of its reads and writes, the backward loop
1.8 times: its ascending half 1.35 times, and the descending half, which works in the cache, the rest. None of these was faster:
non-temporal stores of the gradient, prefetching the next chunk by instructions, the ascending half of the next chunk beside the descending
half of this one, a gradient that is not copied, chunks that fit the first-level cache, and pages of 2 MB.
"""

from typing import Any

import numpy as np

# `specialise` binds these to the functions of a rule.
advance: Any = None
retrace: Any = None
pullback: Any = None


def forward(
    x: Any, start: Any, params: Any, c: Any, valid: Any, y: Any, end: Any, marks: Any, every: int, s: Any, p: Any, first: int, last: int
) -> None:
    """Tiles first .. last - 1 of y [B, T, M], of the states at the end [n, B, M], and of those before every `every`-th step, `marks`.

    Tile i is row i // tiles and the i % tiles-th `width` columns; s [2, n, width] and p [m, width] are memory of this thread.
    """
    steps, columns, width = x.shape[1], x.shape[2], p.shape[1]
    tiles = (columns + width - 1) // width
    for tile in range(first, last):
        begins = tile % tiles * width
        b, low, count = np.uintp(tile // tiles), np.uintp(begins), np.uintp(min(width, columns - begins))
        for i in range(len(start)):
            for j in range(count):
                s[0, i, j] = start[i, b, low + j]
        for i in range(len(params)):
            for j in range(count):
                p[i, j] = params[i, low + j]
        now, then = np.uintp(0), np.uintp(1)
        for t in range(steps):
            if t % every == 0:
                for i in range(len(start)):
                    for j in range(count):
                        marks[t // every, i, b, low + j] = s[now, i, j]
            if valid[b, t]:
                advance(x, (b, np.uintp(t), low, count), s, now, then, p, c, y, y)
                now, then = then, now
            else:
                for j in range(count):
                    y[b, t, low + j] = 0
        for i in range(len(start)):
            for j in range(count):
                end[i, b, low + j] = s[now, i, j]


def backward(
    x: Any, marks: Any, params: Any, c: Any, valid: Any, gy: Any, gend: Any, gx: Any, gstart: Any, gparams: Any, every: int,
    s: Any, g: Any, p: Any, gp: Any, first: int, last: int,
) -> None:  # fmt: skip
    """Tiles first .. last - 1 of the gradients of x, of the first state [n, B, M] and of the parameters, one per row [m, B, M].

    The states are recomputed from x, a chunk of `every` steps at a time. Main memory is read at ascending addresses, for prefetching: the
    ascending half also loads gy, and the descending half reads from the cache. s [every + 1, n, width], g [n, width], p and gp [m, width]
    are memory of this thread.
    """
    steps, columns, width = x.shape[1], x.shape[2], p.shape[1]
    tiles = (columns + width - 1) // width
    for tile in range(first, last):
        begins = tile % tiles * width
        b, low, count = np.uintp(tile // tiles), np.uintp(begins), np.uintp(min(width, columns - begins))
        for i in range(len(params)):
            for j in range(count):
                p[i, j] = params[i, low + j]
                gp[i, j] = 0
        for i in range(len(gend)):
            for j in range(count):
                g[i, j] = gend[i, b, low + j]
        for chunk in range(len(marks) - 1, -1, -1):
            begin = chunk * every
            length = min(every, steps - begin)
            for i in range(len(gend)):
                for j in range(count):
                    s[0, i, j] = marks[chunk, i, b, low + j]
            for k in range(length):
                at = b, np.uintp(begin + k), low, count
                if valid[b, begin + k]:
                    retrace(x, at, s, np.uintp(k), np.uintp(k + 1), p, c, gx, gy)
                else:
                    for i in range(len(gend)):
                        for j in range(count):
                            s[k + 1, i, j] = s[k, i, j]
                    for j in range(count):
                        gx[b, begin + k, low + j] = 0
            for k in range(length - 1, -1, -1):
                if valid[b, begin + k]:
                    at = b, np.uintp(begin + k), low, count
                    pullback(x, at, s, np.uintp(k), p, c, g, gp, gx)
        for i in range(len(gend)):
            for j in range(count):
                gstart[i, b, low + j] = g[i, j]
        for i in range(len(params)):
            for j in range(count):
                gparams[i, b, low + j] = gp[i, j]
