"""Tests for paired outcomes, and the correction for several tests."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

_RESAMPLES = 100_000
"""Up to 16 pairs all choices of signs are fewer, and the test is exact."""


def clip_test(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int, float]:
    """The exact McNemar test: whether two networks are equally likely to be the only one that classifies a clip correctly.

    It is valid for these two trained networks and further clips of the same kind, not for other trainings.

    Args:
        one, other: whether each clip was classified correctly, bool [N], for the same clips.
    Returns:
        the numbers of clips that only `one` and only `other` classified correctly, and the two-sided p-value.
    Source: McNemar (1947), "Note on the sampling error of the difference between correlated proportions"; exact by the binomial.
    """
    from scipy.stats import binomtest

    if one.shape != other.shape:
        raise InputError(f"other: expected outcomes of the same {one.size} clips, got {other.size}. Pair them first.")
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    differ = only_one + only_other
    return only_one, only_other, float(binomtest(only_one, differ).pvalue) if differ else 1.0


def cell_test(differences: Sequence[float]) -> float:
    """The paired permutation test of a zero mean difference: the sign of each difference is exchangeable under the null hypothesis.

    With one pair per training (equal data and seed) it is valid for further trainings, because the variation between trainings is
    included. At least six pairs are needed for a p-value below 5 %.

    Args:
        differences: of each pair.
    Returns:
        the two-sided p-value, exact up to 16 pairs, from 100,000 random choices of signs beyond.
    Source: Fisher (1935), "The design of experiments", section 21.
    """
    from scipy.stats import permutation_test

    values = np.asarray(differences, float)
    if values.size == 0:
        raise InputError("differences: expected at least one pair, got none.")
    if values.size == 1:  # scipy needs two
        return 1.0
    found = permutation_test((values,), np.mean, permutation_type="samples", n_resamples=_RESAMPLES, rng=0)
    return float(found.pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values corrected for several tests: the probability of at least one false rejection stays below the level.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    corrected, largest = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(p_values) - rank)))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}
