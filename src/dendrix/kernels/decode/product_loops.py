"""Products of a few rows with a packed matrix. Each output is summed over the inputs in order, with one rounding per input.

The result of a row therefore does not depend on the other rows, and zero inputs can be skipped without changing it. Matrices are stored
in blocks of outputs and by input within a block, so that the weights of an active input are contiguous.
"""

from typing import Any

import numpy as np

all_wide: Any = None  # `specialise` binds these: sums of tiles of outputs, see `tiles`
all_narrow: Any = None
all_several: Any = None
active_wide: Any = None
active_narrow: Any = None
enlist: Any = None
spike_product: Any = None
wide = narrow = several = 1
"""Outputs of the tiles for one row, and rows of the tile for several."""
dense_alone = 0.5
"""Fraction of active inputs above which a single row uses all inputs."""
whole = False
"""Whether the weights are whole numbers."""

SPIKES = 2
"""In a row of the table: all inputs are numbers of spikes, and the weights are int8. 1: some inputs may be 0."""

_CHUNK = 128
"""Inputs per chunk, whose weights stay in the cache for all rows."""
_DENSE = 0.35
"""Fraction of active inputs above which several rows use all inputs, because they share their reads."""
_ZERO = np.float32(0)


def find_active(x: Any, rows: Any, inputs: Any, active: Any, counts: Any) -> Any:
    """Find the nonzero inputs of each row, in order, and their number; returns the total number."""
    total = 0
    for r in range(rows):
        count = 0
        for i in range(inputs):
            active[r, count] = i
            count += x[r, i] != _ZERO
        counts[r] = count
        total += count
    return total


def within(x: Any, rows: Any, inputs: Any, weights: Any, end: Any, width: Any, sums: Any) -> None:
    """Read the last elements that the tiles will use, whose accesses are not checked: where numba checks bounds, this raises for them."""
    if rows:
        _ = x[rows - 1, inputs - 1], weights[end - 1], sums[rows - 1, width - 1]


def add_all(x: Any, rows: Any, start: Any, count: Any, weights: Any, at: Any, width: Any, sums: Any) -> None:
    """Add the products of all rows with `count` inputs from `start` on to the sums; `at` is the first weight of input `start`."""
    r, inputs, apart = 0, x.shape[1], sums.shape[1]
    while r + several <= rows:
        for j in range(0, width, narrow):
            all_several(x, r * inputs + start, inputs, weights, at + j, width, count, sums, r * apart + j, apart)
        r += several
    while r < rows:
        j = 0
        while j + wide <= width:
            all_wide(x, r * inputs + start, inputs, weights, at + j, width, count, sums, r * apart + j, apart)
            j += wide
        while j < width:
            all_narrow(x, r * inputs + start, inputs, weights, at + j, width, count, sums, r * apart + j, apart)
            j += narrow
        r += 1


def add_active(x: Any, r: Any, active: Any, first: Any, last: Any, weights: Any, at: Any, width: Any, sums: Any) -> None:
    """Add the products of a row with the inputs active[r, first : last] to its sums; `at` is the first weight of input 0."""
    j = 0
    while j + wide <= width:
        active_wide(
            x, r * x.shape[1], active, r * active.shape[1] + first, last - first, weights, at + j, width, sums, r * sums.shape[1] + j
        )
        j += wide
    while j < width:
        active_narrow(
            x, r * x.shape[1], active, r * active.shape[1] + first, last - first, weights, at + j, width, sums, r * sums.shape[1] + j
        )
        j += narrow


def prepare(x: Any, rows: Any, matrix: Any, memory: Any) -> None:
    """List the active inputs of a product of spikes; must be called before `product`, in the same order if there are several products."""
    if whole and matrix[5] == SPIKES:
        enlist(x, rows, matrix, memory[5])


def product(x: Any, rows: Any, matrix: Any, weights: Any, scales: Any, y: Any, memory: Any) -> None:
    """y = x W^T for the first rows of x, `matrix` being a row of the table of `generate.packing`."""
    at, scale_at, inputs, outputs, width, zeros = matrix
    active, counts, done, sums, whole_sums, queue = memory
    if whole and zeros == SPIKES:
        spike_product(x, rows, matrix, weights, scales, y, whole_sums, queue)
    else:
        total = find_active(x, rows, inputs, active, counts) if zeros else rows * inputs
        sparse = total < rows * inputs * (dense_alone if rows == 1 else _DENSE)
        size = inputs if rows == 1 else _CHUNK
        for low in range(0, outputs, width):
            within(x, rows, inputs, weights, at + inputs * width, width, sums)
            for r in range(rows):
                done[r] = 0
                for j in range(np.uintp(width)):
                    sums[r, j] = _ZERO
            for start in range(0, inputs, size):
                count = min(size, inputs - start)
                if sparse:
                    for r in range(rows):
                        first = last = done[r]
                        while last < counts[r] and active[r, last] < start + count:
                            last += 1
                        add_active(x, r, active, first, last, weights, at, width, sums)
                        done[r] = last
                else:
                    add_all(x, rows, start, count, weights, at + start * width, width, sums)
            at += inputs * width
            used = np.uintp(min(width, outputs - low))
            for r in range(np.uintp(rows)):
                for j in range(used):
                    y[r, np.uintp(low) + j] = sums[r, j] * scales[np.uintp(scale_at + low) + j]
