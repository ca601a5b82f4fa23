"""Bisection over whole numbers against a plain search."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dendrix.sdr.bisection import largest, log_target, smallest

ranges = st.tuples(st.integers(-20, 60), st.integers(-20, 60), st.integers(-25, 65))


@given(ranges)
def test_smallest_is_the_first_that_meets(case: tuple[int, int, int]) -> None:
    low, high, edge = case
    assert smallest(lambda value: value >= edge, low, high) == next((value for value in range(low, high + 1) if value >= edge), None)


@given(ranges)
def test_largest_is_the_last_that_meets(case: tuple[int, int, int]) -> None:
    low, high, edge = case
    assert largest(lambda value: value <= edge, low, high) == max((value for value in range(low, high + 1) if value <= edge), default=None)


def test_only_numbers_of_the_answers_size_are_asked() -> None:
    asked: list[int] = []
    assert smallest(lambda value: bool(asked.append(value)) or value >= 1000, 1, 2**53) == 1000
    assert max(asked) < 4000
    assert len(asked) < 25


def test_a_tie_meets_its_target() -> None:
    assert math.log(1e-9) <= log_target("target_fp", 1e-9)
    assert math.log(1e-9 * (1 + 1e-11)) > log_target("target_fp", 1e-9)


@pytest.mark.parametrize("target", [0.0, -1e-9, 1.5, float("nan"), "low", None, True, [0.1, 0.2]])
def test_a_target_is_a_probability(target: float) -> None:
    with pytest.raises(ValueError, match="target_fp: expected a probability"):
        log_target("target_fp", target)
