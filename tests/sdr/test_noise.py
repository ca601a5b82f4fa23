"""Other kinds of noise: deletion, random activity, a random count; brute force, limits and bad input."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dendrix.sdr import false_negative, false_negative_deletion, false_negative_random, false_positive, false_positive_bernoulli

BACKENDS = ("float64", "exact", "mpmath")


@pytest.mark.parametrize("p", [Fraction(0), Fraction(1, 5), Fraction(1)])
def test_deletion_and_activity_by_enumeration(p: Fraction) -> None:
    s = 6
    law = [Fraction(0)] * (s + 1)
    for cells in itertools.product((0, 1), repeat=s):
        law[sum(cells)] += math.prod(p if cell else 1 - p for cell in cells)
    for theta in range(-1, s + 2):
        reached = sum(law[max(theta, 0) :], Fraction(0))
        missed = sum(law[s + 1 - max(theta, 0) :] if theta <= s else law, Fraction(0))  # so many cells that are silent
        assert false_positive_bernoulli(s, p, theta, backend="exact") == reached
        assert false_negative_deletion(s, p, theta, backend="exact") == missed
        for backend in BACKENDS:
            assert float(false_positive_bernoulli(s, p, theta, backend=backend)) == pytest.approx(float(reached), rel=1e-12, abs=0)
            assert float(false_negative_deletion(s, p, theta, backend=backend)) == pytest.approx(float(missed), rel=1e-12, abs=0)


def test_activity_is_the_limit_of_many_cells() -> None:
    floor = false_positive_bernoulli(24, 0.032, 12)
    assert floor == pytest.approx(2.176e-12, rel=1e-3)
    rising = false_positive(np.array([500, 4000, 40_000]), np.array([16, 128, 1280]), 24, 12)
    assert rising[0] < rising[1] < rising[2] < floor


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_random_count_mixes(backend: str, log: bool) -> None:
    weights = [Fraction(1, 2), Fraction(0), Fraction(1, 3), Fraction(1, 6)]
    expected = sum(weight * false_negative(20, 8, v, 7, backend="exact") for v, weight in enumerate(weights))
    found = false_negative_random(20, 8, weights, np.array([7, 8]), backend=backend, log=log)
    assert found.shape == (2,)
    assert float(found[0]) == pytest.approx(math.log(expected) if log else float(expected), rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_arrays_of_probabilities(backend: str) -> None:
    curve = false_negative_deletion(20, np.array([0.1, 0.5]), np.array([[10], [15]]), backend=backend)
    assert curve.shape == (2, 2)
    assert float(curve[1, 0]) == pytest.approx(float(false_negative_deletion(20, 0.1, 15)), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: false_negative_deletion(5, 1.1, 3), "p: expected probabilities in \\[0, 1\\], got 1.1"),
        (lambda: false_negative_deletion(5, math.nan, 3), "p: expected probabilities in \\[0, 1\\], got nan"),
        (lambda: false_positive_bernoulli(5, "half", 3), "q: expected a probability or an array of probabilities, got 'half'"),
        (lambda: false_positive_bernoulli(5, 0.5, 3, backend="double"), "backend: expected one of"),
        (lambda: false_negative_random(20, 8, [0.5, 0.4], 7), "weights: expected a list of probabilities that sums to 1, got sum 0.9"),
        (lambda: false_negative_random(20, 8, 1.0, 7), "weights: expected one list of probabilities"),
        (lambda: false_negative_random(2, 2, [0.25] * 4, 1), "v: expected at most a, got v=3 with a=2"),
    ],
)
def test_bad_input_is_one_sentence(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()
