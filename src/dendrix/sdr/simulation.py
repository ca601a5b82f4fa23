"""Loops that draw patterns, segments and noise as sets of cells and count overlaps; numba compiles them on first use.

A segment is drawn anew for every comparison, a pattern for every `BLOCK` of them. The matches are still independent: given any
pattern, the chance of a match is the same, so knowing the pattern says nothing about the outcome.
"""

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024


def draw_overlaps(
    n: int, a: int, s: int, v: int, m: int, union: bool, stored: bool, draws: int, block: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """How often each overlap came up, int64 [a + 1].

    A pattern is a cells of n; the activity is the pattern with v of its cells moved to others. A segment is s cells of n, or, where
    `stored`, the first segment is s cells of the pattern. Of m segments the largest overlap counts, or that of their union.
    """
    counts = np.zeros(a + 1, np.int64)
    cells = np.arange(n)
    pattern = np.zeros(a, np.int64)
    active = np.zeros(n, np.bool_)
    seen = np.zeros(n, np.int64)  # the last segment or union that counted this cell
    mark = 0
    for draw in range(draws):
        if draw % block == 0:
            for i in range(a + v):
                j = i + int(rng.random() * (n - i))
                cells[i], cells[j] = cells[j], cells[i]
            pattern[:] = cells[:a]
            active[:] = False
            for i in range(v, a + v):  # the first v cells of the pattern fall silent, v others fire instead
                active[cells[i]] = True
        mark += 1
        overlap = largest = 0
        for segment in range(m):
            if not union:
                mark += 1
                overlap = 0
            pool = pattern if stored and segment == 0 else cells
            for i in range(s):
                j = i + int(rng.random() * (len(pool) - i))
                cell = pool[j]
                pool[j] = pool[i]
                pool[i] = cell
                if active[cell] and seen[cell] != mark:
                    seen[cell] = mark
                    overlap += 1
            largest = max(largest, overlap)
        counts[largest] += 1
    return counts


def draw_weights(
    n: int, a: int, s: int, v: int, m: int, theta: int, stored: bool, tilt: float, draws: int, block: int, rng: np.random.Generator
) -> tuple[int, float, float]:
    """Importance sampling of the union of m segments: hits, and the sums of their weights and squared weights.

    A hit is an overlap of at least theta, or of fewer where the first segment is `stored`. A tilted segment takes each of its cells
    from the active part of its pool with probability `tilt`, whatever is left there; the weight is the product over the cells of
    (plain probability) / (tilted probability). All m segments are tilted, or only the stored one.
    """
    hits = 0
    total = squares = 0.0
    cells = np.arange(n)
    active = np.zeros(n, np.bool_)
    seen = np.full(n, -1)
    size_on = a - v if stored else a
    size_off = v if stored else n - a
    pools = (cells[:size_on].copy(), cells[:size_off].copy())
    taken = np.zeros(2, np.int64)
    for draw in range(draws):
        if draw % block == 0:
            for i in range(a + v):
                j = i + int(rng.random() * (n - i))
                cells[i], cells[j] = cells[j], cells[i]
            pools[0][:] = cells[v:a]
            pools[1][:] = cells[:v] if stored else cells[a:]
            active[:] = False
            for i in range(v, a + v):
                active[cells[i]] = True
        overlap = 0
        weight = 1.0
        for segment in range(m):
            tilted = segment == 0 or not stored
            taken[:] = 0
            for i in range(s):
                pool, first = cells, i
                if tilted:
                    left_on, left_off = size_on - taken[0], size_off - taken[1]
                    chance = tilt if left_on and left_off else (1.0 if left_on else 0.0)
                    side = 0 if rng.random() < chance else 1
                    plain = (left_off if side else left_on) / (left_on + left_off)
                    weight *= plain / (1 - chance if side else chance)
                    pool, first = pools[side], taken[side]
                    taken[side] += 1
                j = first + int(rng.random() * (len(pool) - first))
                cell = pool[j]
                pool[j] = pool[first]
                pool[first] = cell
                if active[cell] and seen[cell] != draw:
                    seen[cell] = draw
                    overlap += 1
        if (overlap < theta) == stored:
            hits += 1
            total += weight
            squares += weight * weight
    return hits, total, squares
