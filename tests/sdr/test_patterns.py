"""Counting patterns, and packing patterns that differ."""

import itertools
import math
from fractions import Fraction

import pytest

from dendrix.sdr import Packing, exact_match_probability, overlap_count, packing_bounds, pattern_count


def test_counts() -> None:
    assert pattern_count(64, 5) == math.comb(64, 5)
    assert pattern_count(64, [1, 5]).tolist() == [64, math.comb(64, 5)]
    assert pattern_count(2048, 40, log=True) == pytest.approx(math.log(math.comb(2048, 40)), rel=1e-15)
    assert exact_match_probability(64, 5, backend="exact") == Fraction(1, math.comb(64, 5))
    assert exact_match_probability(2048, 40) == pytest.approx(1 / math.comb(2048, 40), rel=1e-13)


def test_overlap_count_beyond_the_pattern_is_zero() -> None:
    assert overlap_count(10, 3, 5, 4) == 0
    assert overlap_count(10, 3, 5, 4, log=True) == -math.inf
    assert overlap_count(10, 3, 5, 2, log=True) == pytest.approx(math.log(10 * 5))


@pytest.mark.parametrize(("n", "a", "theta"), [(7, 3, 2), (8, 4, 3), (6, 3, 3), (9, 3, 1), (5, 2, 0)])
def test_packings_lie_between_the_bounds(n: int, a: int, theta: int) -> None:
    bounds = packing_bounds(n, a, theta)
    chosen: list[set[int]] = []
    for pattern in map(set, itertools.combinations(range(n), a)):  # greedy, hence at least what Gilbert's argument gives
        if all(len(pattern & other) < theta for other in chosen):
            chosen.append(pattern)
    assert bounds.at_least <= len(chosen) <= bounds.at_most


def test_known_packings() -> None:
    assert packing_bounds(7, 3, 2) == Packing(3, 7)  # the Fano plane has 7
    assert packing_bounds(9, 3, 1).at_most == 3
    assert packing_bounds(6, 3, 3) == Packing(20, 20)  # all patterns differ


def test_bad_input_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="theta: expected at most a, got theta=4 with a=3"):
        packing_bounds(7, 3, 4)
    with pytest.raises(ValueError, match="a: expected at most n, got a=5 with n=4"):
        pattern_count(4, 5)
    with pytest.raises(ValueError, match="Choose another backend"):
        pattern_count(10**12, 10**11)
