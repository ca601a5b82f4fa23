"""Is one way of training better than another? Tests for outcomes that come in pairs, and what to do about many of them."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

_ENUMERABLE = 16
"""Up to this many pairs all choices of signs are counted; beyond, they are drawn."""
_DRAWS = 100_000


def clip_test(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int, float]:
    """The exact McNemar test: of the clips that only one of two networks gets right, is each as often the one?

    It speaks of these trained networks and of other clips like these; it cannot say what another training would give.

    Args:
        one, other: whether each clip was right, bool [N], of the same clips.
    Returns:
        how many only `one` and only `other` got right, and the two-sided p-value.
    Source: McNemar (1947), "Note on the sampling error of the difference between correlated proportions"; exact by the binomial.
    """
    from scipy.stats import binomtest

    if one.shape != other.shape:
        raise InputError(f"other: expected outcomes of the same {one.size} clips, got {other.size}. Pair them first.")
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    differ = only_one + only_other
    return only_one, only_other, float(binomtest(only_one, differ).pvalue) if differ else 1.0


def cell_test(differences: Sequence[float]) -> float:
    """The paired permutation test: could the mean difference be as large, in size, if the sign of each pair were a coin's?

    With a pair for each training, of both ways with the same data and seed, it speaks of trainings: the noise between two of them is in it.
    Six pairs at least, or no outcome is below 5 %.

    Args:
        differences: one for each pair.
    Returns:
        the two-sided p-value, exact up to 16 pairs, from 100,000 random choices of signs beyond.
    Source: Fisher (1935), "The design of experiments", section 21.
    """
    values = np.asarray(differences, float)
    if values.size == 0:
        raise InputError("differences: expected at least one pair, got none.")
    if values.size <= _ENUMERABLE:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=values.size)))
    else:
        signs = np.random.default_rng(0).choice((1.0, -1.0), (_DRAWS, values.size))
        signs[0] = 1.0  # what was seen is one of the possible outcomes
    sums = np.abs(signs @ values)
    return float((sums >= np.abs(values.sum()) * (1 - 1e-12)).mean())


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values corrected for having made several tests: the chance of even one false alarm stays below the level.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    corrected, largest = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(p_values) - rank)))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}
