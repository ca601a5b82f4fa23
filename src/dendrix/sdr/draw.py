"""Random subsets of several ranges."""

import numpy as np
from numpy.typing import NDArray

Seed = int | np.random.Generator | None
"""A seed; a generator, whose stream is continued; or None, which gives a different result at every call."""


def sorted_distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct keys in ascending order. `numpy.unique` uses hashing, which is forty times slower here."""
    ordered = np.sort(keys)
    fresh: NDArray[np.bool_] = np.diff(ordered, prepend=-1) != 0
    return np.compress(fresh, ordered)


def draw_subsets(
    sizes: NDArray[np.int64], counts: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw for each row i a uniformly random subset of range(sizes[i]) with counts[i] elements.

    A subset is the first counts[i] distinct numbers of a uniform stream. If a subset is larger than its complement, the complement is
    drawn.

    Args:
        sizes: size of the range of each row, int64 [N].
        counts: number of elements of each subset, int64 [N].
        rng: random number generator.
    Returns:
        rows and elements, int64 [sum of counts], sorted by row and within a row.
    """
    stride = int(sizes.max(initial=1))
    inverted = 2 * counts > sizes
    wanted = np.where(inverted, sizes - counts, counts)
    keys, missing = np.empty(0, np.int64), wanted
    while missing.any():
        rows = np.repeat(np.arange(len(sizes)), missing)
        keys = sorted_distinct(np.concatenate([keys, rows * stride + rng.integers(0, sizes[rows])]))
        missing = wanted - np.bincount(keys // stride, minlength=len(sizes))
    if inverted.any():
        whole = np.flatnonzero(inverted)
        every = np.concatenate([row * stride + np.arange(sizes[row]) for row in whole])
        left_out = inverted[keys // stride]
        keys = np.sort(np.concatenate([keys[~left_out], np.setdiff1d(every, keys[left_out], assume_unique=True)]))
    return keys // stride, keys % stride
