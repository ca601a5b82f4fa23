"""What is no whole number, no probability, or does not broadcast, is refused in one short sentence that names it."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dendrix import sdr
from dendrix.sdr.arguments import probability, whole


@pytest.mark.parametrize("value", [10.5, float("nan"), -1, 0, [1, 2], "ten", None, True, 10**30])
def test_sizes_are_single_whole_numbers(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^a: expected"):
        whole(a=value)


def test_whole_numbers_may_be_floats_or_arrays_of_one() -> None:
    assert whole(a=1e6, b=np.int32(3), theta=-2, c=np.array(4)) == [1_000_000, 3, -2, 4]


def test_a_probability_keeps_its_kind() -> None:
    third = probability("p", Fraction(1, 3))
    assert isinstance(third, Fraction)
    assert third == Fraction(1, 3)
    assert isinstance(probability("p", 1), float)


@pytest.mark.parametrize("failure", [None, "", True, [0.1, 0.2], -0.1, float("nan"), np.ones(9)])
@pytest.mark.parametrize("function", [sdr.false_negative, sdr.false_positive, sdr.union_false_positive, sdr.set_false_positive])
def test_failure_is_one_probability(function: Any, failure: Any) -> None:
    with pytest.raises(ValueError, match="failure: expected a probability"):
        function(10, 5, 4, 2, **({"m": 2} if "m" in function.__annotations__ else {}), failure=failure)


def test_thresholds_far_below_zero_do_not_wrap_around() -> None:
    assert sdr.false_negative(10, 5, 5, -(2**53)) == 0
    with pytest.raises(ValueError, match="theta: expected whole numbers up to 2"):
        sdr.false_negative(10, 5, 5, -(2**63))


TOO_MANY = r"at most 10,000,000 terms \(settings times overlaps\)"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: sdr.false_positive(np.ones((40, 40), bool), 5, 5, 2), r"n: expected an integer .* got bool \[40, 40\]"),
        (lambda: sdr.false_positive([[1, 2], [3]], 5, 5, 2), "n: expected a number or an array, got lists of unequal lengths"),
        (lambda: sdr.false_positive(2**64, 5, 5, 2), "n: expected whole numbers up to 2.53, got 18446744073709551616"),
        (lambda: sdr.set_false_positive(10, 5, [1, 2], [1, 2, 3]), r"shapes that broadcast, got n \[\], a \[\], s \[2\], theta \[3\]"),
        (lambda: sdr.false_positive_bernoulli(5, [0.1, 0.2], [1, 2, 3]), r"shapes that broadcast, got s \[3\], theta \[3\], q \[2\]"),
        (lambda: sdr.false_negative_random(20, 8, [[0.5, 0.5]], 7), r"weights: expected one list of probabilities, got shape \[1, 2\]"),
        (lambda: sdr.min_n(np.ones((50, 50), int), 20, 10, 1e-9), r"a: expected one setting at a time, got an array \[50, 50\]"),
        (lambda: sdr.packing_bounds(7, 3, 2.5), "theta: expected whole numbers"),
        (lambda: sdr.packing_bounds([7, 8], 3, 2), "n: expected one setting at a time"),
        (lambda: sdr.SDR.random(5, True), "a: expected a whole number from 0 to 5, got True"),
        (lambda: sdr.false_positive(10**6, 10**5, 10**5, 3, failure=0.1), "at most 20,000 cells with failing synapses"),
        (lambda: sdr.union_false_positive(10**6, 10**5, 25, 3, 2, "bloom", failure=0.1), "at most 20,000 cells with failing synapses"),
        (
            lambda: sdr.false_positive(np.arange(10**6) + 9999, 99, 99, 3, failure=0.1),
            TOO_MANY,
        ),
        (
            lambda: sdr.false_negative_random(10**6, 9, np.full(10**6, 1e-6), np.arange(99)),
            TOO_MANY,
        ),
    ],
)
def test_bad_input_is_one_sentence(call: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says) as error:
        call()
    assert "\n" not in str(error.value)
