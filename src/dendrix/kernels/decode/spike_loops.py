"""Products of a few rows of spikes with a packed int8 matrix: sums of the weights of the active inputs, without multiplications.

Sums of integers are exact in any order. They equal the float32 sums of `product_loops` to the bit, which are whole numbers below 2^24
here, and do not depend on the other rows of a batch.
"""

from typing import Any

import numpy as np

find_active: Any = None  # `specialise` binds it, and the tiles of `tiles` and their outputs
within: Any = None
spikes_wide: Any = None
spikes_narrow: Any = None
wide_of_spikes = narrow_of_spikes = 1

_MOST = 256
"""Rows of int8 weights whose sum fits int16: 256 times 127 is below 2^15. Also the inputs per chunk, whose weights stay in the cache for
all rows of a batch."""
_ZERO = np.int32(0)


def add_spikes(x: Any, r: Any, active: Any, first: Any, last: Any, weights: Any, at: Any, width: Any, sums: Any) -> None:
    """Add the weights of the inputs active[r, first : last], at most 256, to the sums of a row; `at` is the first weight of input 0."""
    j = 0
    while j + wide_of_spikes <= width:
        spikes_wide(x, 0, active, r * active.shape[1] + first, last - first, weights, at + j, width, sums, r * sums.shape[1] + j)
        j += wide_of_spikes
    while j < width:
        spikes_narrow(x, 0, active, r * active.shape[1] + first, last - first, weights, at + j, width, sums, r * sums.shape[1] + j)
        j += narrow_of_spikes


def spike_product(x: Any, rows: Any, matrix: Any, weights: Any, scales: Any, y: Any, memory: Any) -> None:
    """y = x W^T for the first rows of x, which are 0 or 1; `matrix` is a row of the table of `generate.packing`."""
    at, scale_at, inputs, outputs, width, _ = matrix
    active, counts, done, _, sums = memory
    find_active(x, rows, inputs, active, counts)
    for low in range(0, outputs, width):
        within(x, rows, inputs, weights, at + inputs * width, width, sums)
        for r in range(rows):
            done[r] = 0
            for j in range(np.uintp(width)):
                sums[r, j] = _ZERO
        for start in range(0, inputs, _MOST):
            for r in range(rows):
                first = last = done[r]
                if rows == 1:
                    last = min(first + _MOST, counts[r])
                else:
                    while last < counts[r] and active[r, last] < start + _MOST:
                        last += 1
                add_spikes(x, r, active, first, last, weights, at, width, sums)
                done[r] = last
        at += inputs * width
        used = np.uintp(min(width, outputs - low))
        for r in range(np.uintp(rows)):
            for j in range(used):
                y[r, np.uintp(low) + j] = np.float32(sums[r, j]) * scales[np.uintp(scale_at + low) + j]
