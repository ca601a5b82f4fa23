"""Products of a few rows of spikes with a packed int8 matrix: sums of the weights, one for each spike, without multiplications.

Sums of integers are exact in any order. They equal the float32 sums of `product_loops` to the bit, which are whole numbers below 2^24
here, and do not depend on the other rows of a batch.

The places of the weights of all active inputs are listed before, for all products whose inputs are known, so that weights are read in
advance from one block and one product to the next.
"""

from typing import Any

import numpy as np

spikes_wide: Any = None  # `specialise` binds these: sums of tiles of outputs, see `tiles`
spikes_half: Any = None
spikes_narrow: Any = None
bits_above: Any = None
lowest_bit: Any = None
read_ahead: Any = None
within: Any = None
wide_of_spikes = narrow_of_spikes = ahead = 1
levels = 1
"""Most spikes of an input."""
signs = 1
"""2 if there are negative spikes, whose weights are listed apart."""

_MOST = 256
"""Rows of int8 weights whose sum fits int16: 256 times 127 is below 2^15."""
_CHUNK = 512
"""Inputs per chunk, whose weights stay in the cache for all rows of a batch."""
_MANY = 8
"""Rows that together need most of a chunk. It is read in order, a part before each row of the chunk before it."""
_ZERO = np.int32(0)
_WORD = 64
"""Inputs whose activity is one word of bits."""
_PLACES, _ENDS = 0, 1
"""Rows of the counts of a queue: how many places, and ends of lists of places, were written and read."""


def room_for_places(count: Any, d: Any) -> Any:
    """An empty queue of the lists of `count` tokens for the products of one half of a block: places, ends of lists, and their counts."""
    lists = count * (5 * d // narrow_of_spikes + 5) * (4 * d // _CHUNK + 1) * signs
    blocks = 5 * d // wide_of_spikes + 5
    return np.empty(count * blocks * 4 * d * levels + ahead, np.int64), np.empty(lists, np.int64), np.zeros((2, 2), np.int64)


def list_places(x: Any, r: Any, start: Any, end: Any, sign: Any, level: Any, place: Any, width: Any, places: Any, n: Any) -> Any:
    """List the places of the weights of the inputs start .. end - 1 of a row that have more than `level` spikes of a sign.

    `place` is that of input `start`, and the first one found becomes number n of the list. Returns the new length of the list.
    """
    full = start + (end - start) // _WORD * _WORD
    for i in range(start, full, _WORD):
        bits = bits_above(x, r * x.shape[1] + i, sign, level)
        while bits != 0:
            places[n] = place + lowest_bit(bits) * width
            n += np.uintp(1)
            bits &= bits - 1
        place += _WORD * width
    for i in range(full, end):
        places[n] = place
        n += np.uintp(x[r, i] * sign > level)
        place += width
    return n


def enlist(x: Any, rows: Any, matrix: Any, queue: Any) -> None:
    """Append the places of the weights of the active inputs of a product, in the order in which `spike_product` adds them.

    There is a list for each block of outputs, chunk of inputs (all of them for a single row), row, and sign, negative spikes first. It has
    a place for every spike, and several spikes of an input have the same place.
    """
    at, _, inputs, outputs, width, _ = matrix
    places, ends, counts = queue
    if counts[_ENDS, 0] == counts[_ENDS, 1]:  # all of it was read
        counts[:] = 0
    size = inputs if rows == 1 else _CHUNK
    # Indices without a sign take no test for negative ones, which keeps LLVM from vectorising.
    n, m = np.uintp(counts[_PLACES, 0]), np.uintp(counts[_ENDS, 0])
    first, earliest, one = n, m, np.uintp(1)
    for start in range(0, inputs, size):
        for r in range(rows):
            for s in range(signs):
                sign = np.float32(1 if s + 1 == signs else -1)
                for level in range(levels):
                    end = min(start + size, inputs)
                    n = list_places(x, r, start, end, sign, np.float32(level), at + start * width, width, places, n)
                ends[m] = n
                m += one
    found, lists = n - first, m - earliest
    for block in range(1, -(-outputs // width)):
        for k in range(found):
            places[n + k] = places[first + k] + block * inputs * width
        for k in range(lists):
            ends[m + k] = ends[earliest + k] + block * np.int64(found)
        n += found
        m += lists
    for k in range(np.uintp(ahead)):  # is read in advance behind the end, where nothing is listed yet
        places[n + k] = at
    counts[_PLACES, 0], counts[_ENDS, 0] = n, m


def add_spikes(places: Any, first: Any, count: Any, weights: Any, width: Any, sums: Any, r: Any) -> None:
    """Add the weights of the next `count` places, at most 256, to the sums of a row."""
    j = 0
    while j + wide_of_spikes <= width:
        spikes_wide(places, first, count, weights, j, sums, r * sums.shape[1] + j)
        j += wide_of_spikes
    if j + wide_of_spikes // 2 <= width:
        spikes_half(places, first, count, weights, j, sums, r * sums.shape[1] + j)
        j += wide_of_spikes // 2
    while j < width:
        spikes_narrow(places, first, count, weights, j, sums, r * sums.shape[1] + j)
        j += narrow_of_spikes


def spike_product(x: Any, rows: Any, matrix: Any, weights: Any, scales: Any, y: Any, sums: Any, queue: Any) -> None:
    """y = x W^T for the first rows of x, which are numbers of spikes, were listed, and are next in the queue.

    `matrix` is a row of the table of `generate.packing`.
    """
    at, scale_at, inputs, outputs, width, _ = matrix
    places, ends, counts = queue
    within(x, rows, inputs, weights, at + -(-outputs // width) * inputs * width, width, sums)
    k, m = counts[_PLACES, 1], counts[_ENDS, 1]
    for low in range(0, outputs, width):
        read_ahead(scales, scale_at + low, min(width, outputs - low))
        for r in range(rows):
            for j in range(np.uintp(width)):
                sums[r, j] = _ZERO
        for start in range(0, inputs, inputs if rows == 1 else _CHUNK):
            for r in range(rows):
                if rows >= _MANY:
                    part = _CHUNK * width // rows
                    read_ahead(weights, at + (start + _CHUNK) * width + r * part, part)
                for _ in range(signs):
                    if signs == 2:  # before and after negative spikes, so that these are subtracted
                        for j in range(np.uintp(width)):
                            sums[r, j] = -sums[r, j]
                    while k < ends[m]:
                        count = min(_MOST, ends[m] - k)
                        add_spikes(places, k, count, weights, width, sums, r)
                        k += count
                    m += 1
        at += inputs * width
        used = np.uintp(min(width, outputs - low))
        for r in range(np.uintp(rows)):
            for j in range(used):
                y[r, np.uintp(low) + j] = np.float32(sums[r, j]) * scales[np.uintp(scale_at + low) + j]
    counts[_PLACES, 1], counts[_ENDS, 1] = k, m
