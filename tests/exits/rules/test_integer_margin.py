"""The margin in whole numbers: near that of floating point, and its bounds equal the comparison of scores."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dendrix.errors import InputError
from dendrix.exits import IntegerMargin, Margin
from dendrix.exits.rules.integer_margin import lead

UNIT = 3.0 * 2.0**-14


@pytest.mark.parametrize("mean", [False, True])
def test_near_the_margin(mean: bool) -> None:
    totals = torch.randint(-(2**20), 2**20, (50, 6))
    rule, steps = IntegerMargin(1.0, unit=UNIT, mean=mean), 7
    evidence = totals.double() * UNIT / (steps if mean else 1)
    found, memory = rule.score(evidence, torch.full((50,), steps - 1))
    expected = Margin(1.0).score(evidence, None)[0]
    assert (memory == steps).all()
    assert ((expected - found >= -1e-9) & (expected - found < UNIT / 256 + 1e-9)).all()


@given(threshold=st.floats(0, 1e6), whole=st.integers(0, 2**33))
def test_bounds_equal_the_comparison(threshold: float, whole: int) -> None:
    (bound,) = IntegerMargin(threshold, unit=UNIT).bounds()
    near = [max(whole, 0), max(bound - 1, 0), bound, bound + 1]
    for number in near:
        assert (number >= bound) == (number * (UNIT / 256) > threshold)


@given(first=st.integers(-(2**62), 2**62), steps=st.integers(1, 2**20))
def test_leads_do_not_overflow(first: int, steps: int) -> None:
    total = torch.tensor([[first, -first, -(2**62)]])
    exact = sorted(total[0].tolist())
    expected = (min(exact[2] - exact[1], 2**54) << 8) // steps
    if exact[2] - exact[1] < 2**63:
        assert lead(total, torch.tensor([steps])).tolist() == [expected]


def test_thresholds_at_the_ends() -> None:
    assert IntegerMargin((math.inf, -math.inf, 0.0), unit=UNIT).bounds() == [2**64 - 1, 0, 1]
    with pytest.raises(InputError, match="at least two classes"):
        IntegerMargin(1.0).score(torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64))
