"""Products of a few rows with a packed matrix. Each output is summed over the inputs in order, with one rounding per input.

The result of a row therefore does not depend on the other rows, and zero inputs can be skipped without changing it. Matrices are stored
in blocks of outputs and by input within a block, so that the weights of an active input are contiguous.
"""

from typing import Any

import numpy as np

load: Any = None  # `specialise` binds these
add_inputs_widened: Any = None
"""`add_inputs` on float32."""
spike_product: Any = None
narrow = False
"""Whether blocks are narrow enough to add two inputs per pass without being slower from main memory."""

SPIKES = 2
"""In a row of the table: all inputs are 0 or 1, and the weights are int8. 1: some inputs may be 0."""

_CHUNK = 32
"""Inputs per chunk, whose weights are converted to float32 and cached for all rows."""
_DENSE_ALONE, _DENSE_ALONE_NARROW = 0.5, 0.3
"""Fractions of active inputs above which a single row uses all inputs, because contiguous reads are faster; the latter if `narrow`."""
_DENSE = 0.35
"""The same fraction for several rows, which share their reads."""
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


def add_inputs(x: Any, active: Any, first: Any, last: Any, block: Any, start: Any, width: Any, sums: Any) -> None:
    """Add x[i] times the weights of i to sums [width], for i in active[first : last]; row 0 of the block has those of input `start`."""
    k = first
    while k + 4 <= last:
        a, b, c, d = active[k], active[k + 1], active[k + 2], active[k + 3]
        xa, xb, xc, xd = x[a], x[b], x[c], x[d]
        a, b, c, d = np.uintp(a - start), np.uintp(b - start), np.uintp(c - start), np.uintp(d - start)
        for j in range(np.uintp(width)):
            s = sums[j] + xa * load(block[a, j])
            s += xb * load(block[b, j])
            s += xc * load(block[c, j])
            sums[j] = s + xd * load(block[d, j])
        k += 4
    for rest in range(k, last):
        xa, a = x[active[rest]], np.uintp(active[rest] - start)
        for j in range(np.uintp(width)):
            sums[j] += xa * load(block[a, j])


def add_all(x: Any, block: Any, inputs: Any, width: Any, sums: Any) -> None:
    """Compute `add_inputs` for all inputs of a block. In wide blocks, one at a time: more are a third slower from main memory."""
    i = np.uintp(0)
    while narrow and i + np.uintp(2) <= inputs:
        k = i + np.uintp(1)
        xi, xk = x[i], x[k]
        for j in range(np.uintp(width)):
            s = sums[j] + xi * load(block[i, j])
            sums[j] = s + xk * load(block[k, j])
        i += np.uintp(2)
    while i < inputs:
        xi = x[i]
        for j in range(np.uintp(width)):
            sums[j] += xi * load(block[i, j])
        i += np.uintp(1)


def add_pair(x: Any, r: Any, start: Any, count: Any, block: Any, width: Any, sums: Any) -> None:
    """`add_inputs` for rows r and r + 1 at once, all inputs from `start` on, of a block of float32."""
    q = r + np.uintp(1)
    k = np.uintp(0)
    while k + 4 <= count:
        i = np.uintp(start + k)
        xa, xb, xc, xd = x[r, i], x[r, i + np.uintp(1)], x[r, i + np.uintp(2)], x[r, i + np.uintp(3)]
        ya, yb, yc, yd = x[q, i], x[q, i + np.uintp(1)], x[q, i + np.uintp(2)], x[q, i + np.uintp(3)]
        a, b, c, d = k, k + np.uintp(1), k + np.uintp(2), k + np.uintp(3)
        for j in range(np.uintp(width)):
            w = block[a, j]
            s, z = sums[r, j] + xa * w, sums[q, j] + ya * w
            w = block[b, j]
            s += xb * w
            z += yb * w
            w = block[c, j]
            s += xc * w
            z += yc * w
            w = block[d, j]
            sums[r, j], sums[q, j] = s + xd * w, z + yd * w
        k += np.uintp(4)
    while k < count:
        xa, ya = x[r, np.uintp(start + k)], x[q, np.uintp(start + k)]
        for j in range(np.uintp(width)):
            sums[r, j] += xa * block[k, j]
            sums[q, j] += ya * block[k, j]
        k += np.uintp(1)


def add_rows(x: Any, rows: Any, block: Any, inputs: Any, width: Any, sparse: Any, memory: Any) -> None:
    """Add the products of several rows with one block, by chunks of its inputs."""
    active, counts, everything, sums, chunk = memory
    done = np.zeros(rows, np.int64)
    for start in range(0, inputs, _CHUNK):
        count = min(_CHUNK, inputs - start)
        for i in range(np.uintp(count)):
            for j in range(np.uintp(width)):
                chunk[i, j] = load(block[np.uintp(start) + i, j])
        if not sparse:
            for r in range(np.uintp(0), np.uintp(rows - rows % 2), np.uintp(2)):
                add_pair(x, r, np.uintp(start), np.uintp(count), chunk, width, sums)
        for r in range(0 if sparse else rows - rows % 2, rows):
            which, last = active[r] if sparse else everything, done[r]
            while last < (counts[r] if sparse else inputs) and which[last] < start + count:
                last += 1
            add_inputs_widened(x[r], which, done[r], last, chunk, start, width, sums[r])
            done[r] = last


def product(x: Any, rows: Any, matrix: Any, weights: Any, scales: Any, y: Any, memory: Any) -> Any:
    """y = x W^T for the first rows of x, `matrix` being a row of the table of `generate.packing`."""
    at, scale_at, inputs, outputs, width, zeros = matrix
    active, counts, everything, sums, chunk, short, whole = memory
    if zeros == SPIKES:
        return spike_product(x, rows, matrix, weights, scales, y, (active, counts, short, whole))
    total = find_active(x, rows, inputs, active, counts) if zeros else rows * inputs
    alone = _DENSE_ALONE_NARROW if narrow else _DENSE_ALONE
    sparse = total < rows * inputs * (alone if rows == 1 else _DENSE)
    for low in range(0, outputs, width):
        block = weights[at : at + inputs * width].reshape((inputs, width))
        at += inputs * width
        for r in range(rows):
            for j in range(np.uintp(width)):
                sums[r, j] = _ZERO
        if rows > 1:
            add_rows(x, rows, block, inputs, width, sparse, (active, counts, everything, sums, chunk))
        elif sparse:
            add_inputs(x[0], active[0], 0, counts[0], block, 0, width, sums[0])
        elif rows:
            add_all(x[0], block, inputs, width, sums[0])
        used = np.uintp(min(width, outputs - low))
        for r in range(np.uintp(rows)):
            for j in range(used):
                y[r, np.uintp(low) + j] = sums[r, j] * scales[np.uintp(scale_at + low) + j]
    return None
