"""The urn laws in float64: compiled and plain, with a real number of draws, with replacement."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dendrix.sdr import counting
from dendrix.sdr.tails import upper_tails


def test_many_at_once_are_compiled_and_round_as_one_by_one() -> None:
    draw = np.random.default_rng(0)
    n = draw.integers(50, 3000, 40)
    a, s = (n * draw.uniform(0, 1, 40)).astype(int), np.minimum(n, draw.integers(0, 80, 40))
    theta = draw.integers(-1, 40, 40)
    for exactly, log in itertools.product((False, True), repeat=2):
        plain = [upper_tails(*sizes, exactly=exactly, log=log).item() for sizes in zip(a, n - a, s, theta, strict=True)]
        many = upper_tails(*(np.tile(sizes, 500) for sizes in (a, n - a, s, theta)), exactly=exactly, log=log)
        np.testing.assert_allclose(many, np.tile(plain, 500), rtol=3e-16)


@settings(deadline=None)
@given(st.integers(0, 40), st.floats(0, 1), st.integers(-1, 42))
def test_binomial(draws: int, share: float, count: int) -> None:
    law = counting.binomial(draws, share)
    exact = Fraction(sum(law[max(count, 0) :]), sum(law))
    reachable = exact >= 1e-300
    assert upper_tails(share, 1 - share, draws, count, replaced=True) == pytest.approx(float(exact), rel=1e-12 if reachable else 1, abs=0)
    point = Fraction(law[count], sum(law)) if 0 <= count <= draws else Fraction(0)
    if point == 0 or point > 1e-300:
        assert upper_tails(share, 1 - share, draws, count, replaced=True, exactly=True) == pytest.approx(float(point), rel=1e-12, abs=0)


@settings(deadline=None)
@given(st.integers(1, 50), st.data())
def test_exactly_adds_up_to_at_least(n: int, data: st.DataObject) -> None:
    marked = data.draw(st.integers(0, n))
    draws = data.draw(st.floats(0, n) | st.integers(0, n))
    points = upper_tails(marked, n - marked, draws, np.arange(n + 1), exactly=True)
    sums = upper_tails(marked, n - marked, draws, np.arange(n + 1))
    np.testing.assert_allclose(points[::-1].cumsum()[::-1], sums, rtol=1e-12, atol=1e-15)
    assert math.isclose(points.sum(), 1, rel_tol=1e-14)


@pytest.mark.parametrize("share", [1e-100, 1e-300])
def test_shares_near_the_end_of_the_floats(share: float) -> None:
    logs = upper_tails(share, 1 - share, 6, np.arange(8), replaced=True, log=True)
    expected = [math.log(math.comb(6, k)) + k * math.log(share) for k in range(1, 7)]
    assert logs[1:7] == pytest.approx(expected, rel=1e-14)
    assert (logs[0], logs[7]) == (0, -math.inf)
    assert upper_tails(1 - share, share, 6, 6, replaced=True, exactly=True, log=True) == pytest.approx(0, abs=1e-15)


def test_zero_settings() -> None:
    assert upper_tails(np.zeros((0, 3)), 1, 1, 1).shape == (0, 3)
