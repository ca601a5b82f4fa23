"""Tests for paired outcomes, and the correction of their p-values for several comparisons."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, MissingExtraError

_DRAWS = 100_000
"""Permutations drawn where there are more; 16 pairs have 65,536, and those are enumerated."""


def clip_test(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int, float]:
    """Exact McNemar test of whether two networks classify the same clips equally well.

    Of the clips that exactly one of the two classifies correctly, each network should be that one equally often. The result holds for these
    trained networks and other clips like these; it does not predict another training.

    Args:
        one, other: whether each clip was classified correctly, bool [N], of the same clips.
    Returns:
        how many clips only `one` and only `other` got right, and the two-sided p-value.
    Source: McNemar (1947), "Note on the sampling error of the difference between correlated proportions"; exact by the binomial.
    """
    try:
        from scipy.stats import binomtest
    except Exception as missing:
        raise _missing(missing) from missing

    if one.shape != other.shape:
        raise InputError(f"other: expected outcomes of the same {one.size} clips, got {other.size}. Pair them first.")
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    differ = only_one + only_other
    return only_one, only_other, float(binomtest(only_one, differ).pvalue) if differ else 1.0


def cell_test(differences: Sequence[float]) -> float:
    """Paired permutation test: the probability of so large a mean difference, in size, if the sign of each pair were random.

    With one pair per training, of both methods with the same data and seed, the result includes the variation between trainings.
    With fewer than six pairs no outcome is below 5 %.

    Args:
        differences: one for each pair.
    Returns:
        the two-sided p-value, exact up to 16 pairs, from 100,000 random choices of signs beyond.
    Source: Fisher (1935), "The design of experiments", section 21.
    """
    try:
        from scipy.stats import permutation_test
    except Exception as missing:
        raise _missing(missing) from missing

    values = np.asarray(differences, float)
    if values.size == 0:
        raise InputError("differences: expected at least one pair, got none.")
    if values.size == 1 or not values.any():
        return 1.0
    shares = values / np.abs(values).max()
    found = permutation_test((shares,), _rounded_sum, permutation_type="samples", n_resamples=_DRAWS, rng=0)
    return float(found.pvalue)


def _rounded_sum(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Sums that are equal but for floating-point rounding become equal: scipy's own tolerance misses ties near zero."""
    sums: NDArray[np.float64] = np.round(values.sum(axis), 12)
    return sums


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Correct p-values for several tests, so that the probability of even one false positive stays below the level.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure". scipy has corrections of the false discovery rate only.
    """
    corrected, largest = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(p_values) - rank)))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def _missing(error: Exception) -> MissingExtraError:
    return MissingExtraError.of("Paired tests need", "scipy", "exits", error)
