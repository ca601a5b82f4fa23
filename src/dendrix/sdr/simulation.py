"""Monte Carlo simulation of patterns, segments and noise as sets of cells, with loops compiled by numba.

A new segment is drawn for every comparison, a new pattern for every `BLOCK` comparisons. The matches are nevertheless independent, because
the probability of a match is the same for every pattern.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled

BLOCK = 1024

Cells = NDArray[np.int64]


def count_overlaps(
    n: int, a: int, s: int, v: int, m: int, union: bool, stored: bool, draws: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Count the simulated overlaps.

    A pattern is a set of a of n cells; the activity is the pattern with v cells moved. A segment is a set of s of n cells. The overlap is
    the largest of m segments, or that of their union.

    Args:
        n, a, s, v, m: as above.
        union: use the union of the segments.
        stored: draw the first segment from the cells of the pattern.
        draws: number of comparisons.
        rng: random number generator.
    Returns:
        number of draws with each overlap, int64 [a + 1].
    """
    counts = np.zeros(a + 1, np.int64)
    seen = np.zeros(n, np.int64)
    mark = 0
    for cells, active, number in _patterns(n, a, v, draws, rng):
        first = cells[:a].copy() if stored else cells
        mark = compiled(_count)(first, cells, active, s, m, union, number, counts, seen, mark, rng)
    return counts


def weigh_hits(
    n: int, a: int, s: int, v: int, m: int, theta: int, stored: bool, tilts: tuple[float, float], draws: int, rng: np.random.Generator
) -> tuple[int, float, float]:
    """Estimate the error rate of the union of m segments by importance sampling.

    A hit is an overlap of at least theta, or below theta if the first segment is `stored`. The first segment draws each of its cells from
    the active part of its pool with probability `tilts[0]`, the other segments with `tilts[1]`; the weight is the product over all cells of
    (plain probability) / (tilted probability).

    Args:
        n, a, s, v, m, stored, draws, rng: as in `count_overlaps`.
        theta: overlap from which the union matches.
        tilts: probabilities of an active cell.
    Returns:
        number of hits, sum of their weights, and sum of their squared weights.
    """
    sums = np.zeros(3)
    seen = np.zeros(n, np.int64)
    mark = 0
    for cells, active, number in _patterns(n, a, v, draws, rng):
        later = cells[v : a + v].copy(), np.concatenate([cells[:v], cells[a + v :]])
        first = (cells[v:a].copy(), cells[:v].copy()) if stored else later
        mark = compiled(_weigh)(*first, *later, *tilts, active, s, m, theta, stored, number, sums, seen, mark, rng)
    return int(sums[0]), float(sums[1]), float(sums[2])


def _patterns(n: int, a: int, v: int, draws: int, rng: np.random.Generator) -> Iterator[tuple[Cells, NDArray[np.bool_], int]]:
    """Yield per block all cells, with the a + v cells of the pattern and its noise first, the active cells, and the number of draws."""
    cells = np.arange(n)
    for start in range(0, draws, BLOCK):
        compiled(_shuffle)(cells, a + v, rng)
        active = np.zeros(n, np.bool_)
        active[cells[v : a + v]] = True  # v cells of the pattern become inactive, and v others active
        yield cells, active, min(BLOCK, draws - start)


def _shuffle(cells: Cells, count: int, rng: np.random.Generator) -> None:
    """Move `count` random cells to the front, in random order."""
    for i in range(count):
        j = i + int(rng.random() * (len(cells) - i))
        cell = cells[j]
        cells[j] = cells[i]
        cells[i] = cell


def _count(
    first: Cells,
    cells: Cells,
    active: NDArray[np.bool_],
    s: int,
    m: int,
    union: bool,
    draws: int,
    counts: NDArray[np.int64],
    seen: NDArray[np.int64],
    mark: int,
    rng: np.random.Generator,
) -> int:
    """Accumulate `counts`; `seen` [n] holds the mark of the last segment or union that contained a cell. Returns the last mark."""
    uniform = np.empty(s)
    for _ in range(draws):
        mark += 1
        overlap = largest = 0
        for segment in range(m):
            if not union:
                mark += 1
                overlap = 0
            pool = first if segment == 0 else cells
            for i in range(s):  # drawn before the loop below, whose memory accesses could otherwise not overlap
                uniform[i] = rng.random()
            for i in range(s):
                j = i + int(uniform[i] * (len(pool) - i))
                cell = pool[j]
                pool[j] = pool[i]
                pool[i] = cell
                overlap += active[cell] & (seen[cell] != mark)  # without a branch, which would be mispredicted
                seen[cell] = mark
            largest = max(largest, overlap)
        counts[largest] += 1
    return mark


def _weigh(
    first_on: Cells,
    first_off: Cells,
    later_on: Cells,
    later_off: Cells,
    first_tilt: float,
    later_tilt: float,
    active: NDArray[np.bool_],
    s: int,
    m: int,
    theta: int,
    stored: bool,
    draws: int,
    sums: NDArray[np.float64],
    seen: NDArray[np.int64],
    mark: int,
    rng: np.random.Generator,
) -> int:
    """Accumulate hits, weights and squared weights in `sums`; pools are split into active and inactive cells. Returns the last mark."""
    for _ in range(draws):
        mark += 1
        overlap = 0
        weight = 1.0
        for segment in range(m):
            on, off = (first_on, first_off) if segment == 0 else (later_on, later_off)
            tilt = first_tilt if segment == 0 else later_tilt
            taken_on = 0
            for i in range(s):
                taken_off = i - taken_on
                left_on, left_off = len(on) - taken_on, len(off) - taken_off
                chance = tilt if left_on and left_off else (1.0 if left_on else 0.0)
                plain = left_on / (left_on + left_off)
                if rng.random() < chance:
                    weight *= plain / chance
                    pool, taken = on, taken_on
                    taken_on += 1
                else:
                    weight *= (1 - plain) / (1 - chance)
                    pool, taken = off, taken_off
                j = taken + int(rng.random() * (len(pool) - taken))
                cell = pool[j]
                pool[j] = pool[taken]
                pool[taken] = cell
                overlap += active[cell] & (seen[cell] != mark)
                seen[cell] = mark
        if (overlap < theta) == stored:
            sums[0] += 1
            sums[1] += weight
            sums[2] += weight * weight
    return mark
