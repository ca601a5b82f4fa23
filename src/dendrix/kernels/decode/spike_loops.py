"""Products of a few rows of spikes with a packed int8 matrix: sums of the weights of the active inputs, without multiplications.

Sums of integers are exact in any order. They equal the float32 sums of `product_loops` to the bit, which are whole numbers below 2^24
here, and do not depend on the other rows of a batch.
"""

from typing import Any

import numpy as np

find_active: Any = None  # `specialise` binds it, and the functions below to their compiled copies

_MOST = 256
"""Rows of int8 weights whose sum fits int16: 256 times 127 is below 2^15. Also the inputs per chunk, whose weights stay in the cache for
all rows of a batch."""
_ZERO, _NONE = np.int32(0), np.int16(0)


def add_active(active: Any, first: Any, last: Any, block: Any, width: Any, sums: Any) -> None:
    """Add the weights of the inputs active[first : last], at most 256, to int16 sums [width]."""
    k = first
    while k + 4 <= last:
        a, b, c, d = np.uintp(active[k]), np.uintp(active[k + 1]), np.uintp(active[k + 2]), np.uintp(active[k + 3])
        for j in range(np.uintp(width)):
            sums[j] = np.int16(sums[j] + np.int16(block[a, j]) + np.int16(block[b, j]) + np.int16(block[c, j]) + np.int16(block[d, j]))
        k += 4
    for rest in range(k, last):
        a = np.uintp(active[rest])
        for j in range(np.uintp(width)):
            sums[j] = np.int16(sums[j] + np.int16(block[a, j]))


def widen(short: Any, width: Any, sums: Any) -> None:
    """Add int16 sums to int32 sums [width], and clear them."""
    for j in range(np.uintp(width)):
        sums[j] = np.int32(sums[j] + np.int32(short[j]))
        short[j] = _NONE


def add_spikes(rows: Any, block: Any, inputs: Any, width: Any, memory: Any) -> None:
    """Add the products of several rows with one block to the int32 sums, by chunks of inputs."""
    active, counts, short, sums = memory
    done = np.zeros(rows, np.int64)
    for start in range(0, inputs, _MOST):
        for r in range(rows):
            first = last = done[r]
            while last < counts[r] and active[r, last] < start + _MOST:
                last += 1
            add_active(active[r], first, last, block, width, short[r])
            widen(short[r], width, sums[r])
            done[r] = last


def spike_product(x: Any, rows: Any, matrix: Any, weights: Any, scales: Any, y: Any, memory: Any) -> None:
    """y = x W^T for the first rows of x, which are 0 or 1; `matrix` is a row of the table of `generate.packing`."""
    at, scale_at, inputs, outputs, width, _ = matrix
    active, counts, short, sums = memory
    find_active(x, rows, inputs, active, counts)
    for low in range(0, outputs, width):
        block = weights[at : at + inputs * width].reshape((inputs, width))
        at += inputs * width
        for r in range(rows):
            for j in range(np.uintp(width)):
                short[r, j], sums[r, j] = _NONE, _ZERO
        if rows > 1:
            add_spikes(rows, block, inputs, width, memory)
        else:
            for first in range(0, counts[0], _MOST):
                add_active(active[0], first, min(first + _MOST, counts[0]), block, width, short[0])
                widen(short[0], width, sums[0])
        used = np.uintp(min(width, outputs - low))
        for r in range(np.uintp(rows)):
            for j in range(used):
                y[r, np.uintp(low) + j] = np.float32(sums[r, j]) * scales[np.uintp(scale_at + low) + j]
