"""Random subsets of many ranges at once."""

import numpy as np
from numpy.typing import NDArray

Seed = int | np.random.Generator | None
"""A seed, a generator whose stream goes on, or None: another result at every call."""


def sorted_distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The distinct keys in order; `numpy.unique` hashes, which takes forty times as long here."""
    ordered = np.sort(keys)
    fresh: NDArray[np.bool_] = np.diff(ordered, prepend=-1) != 0
    return np.compress(fresh, ordered)


def draw_subsets(
    sizes: NDArray[np.int64], counts: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each row i a uniformly random subset of range(sizes[i]) with counts[i] elements.

    A subset is the first counts[i] distinct numbers of an endless uniform stream; of a subset and its complement the smaller is drawn.

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
