"""Max-probability in whole numbers: near the one in floating point, exact in Python's integers, and with bounds that say the same."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dendrix.errors import InputError
from dendrix.exits import IntegerProbability, MaxProbability
from dendrix.exits.rules.integer_probability import ONE, POWERS, crowd

TOTALS = st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=12)


def exact(total: list[int], steps: int, constant: int) -> int:
    """The sum of powers in integers without limits."""
    found, top, half = 0, max(total), max(steps.bit_length() - 19, 0)
    for value in total:
        z = (top - value) * constant >> 20
        if z < steps << 13:
            z = (z >> half) // (steps >> half)
            found += POWERS[z & 255] >> (z >> 8)
    return found


@given(total=TOTALS, steps=st.integers(1, 2**31 - 1), constant=st.integers(1, 2**31 - 1))
def test_equals_integers_without_limits(total: list[int], steps: int, constant: int) -> None:
    assert int(crowd(torch.tensor(total), torch.tensor(steps), constant)) == exact(total, steps, constant)


@given(evidence=st.lists(st.floats(-30, 30), min_size=2, max_size=10), steps=st.integers(1, 500), scale=st.floats(0.1, 1))
def test_is_just_below_the_probability(evidence: list[float], steps: int, scale: float) -> None:
    rule, x = IntegerProbability(0.5, unit=2.0**-16, mean=True, scale=scale), torch.tensor([evidence], dtype=torch.float64)
    found, _ = rule.score(x, torch.tensor([steps - 1]))
    expected, _ = MaxProbability(0.5, scale=scale).score(x, ())
    assert -8e-4 <= (found - expected).item() <= 1e-4


@given(threshold=st.floats(0.01, 1), offset=st.integers(-3, 3))
def test_a_sum_below_the_bound_is_a_score_above_the_threshold(threshold: float, offset: int) -> None:
    (bound,) = IntegerProbability(threshold).bounds()
    total = max(bound + offset, 1)
    assert (total < bound) == (ONE / total > threshold)


def test_ends_of_the_range() -> None:
    assert IntegerProbability((1.0, 0.0)).bounds() == [ONE, 2**64 - 1]
    with pytest.raises(InputError, match="compat"):
        IntegerProbability(0.5, compat=True)
    with pytest.raises(InputError, match="fits into 31 bits"):
        _ = IntegerProbability(0.5, unit=1e9).constant
