"""Bisection over integers, and the comparison of a probability with its target."""

import math
from collections.abc import Callable

from ..errors import InputError
from .arguments import probability

TIE = 1e-12  # relative: the accuracy of the float64 probabilities


def log_target(name: str, target: float) -> float:
    """Return the natural logarithm of a target error rate, raised by the rounding error of the probabilities compared with it.

    Args:
        name: name of the argument, for the error message.
        target: error rate in (0, 1].
    Raises:
        InputError: the target is not in (0, 1].
    """
    if not probability(name, target):
        raise InputError(f"{name}: expected a probability above 0, got 0. Choose a positive one, such as 1e-9.")
    return math.log(target) + TIE


def smallest(meets: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return the smallest integer from `low` to `high` that meets a monotone condition, or None if there is none.

    The search doubles its step from `low` before it bisects, so that a condition that is costly for large numbers is evaluated only for
    numbers of the size of the result.

    Args:
        meets: condition that is true for all integers above the smallest one that meets it.
        low, high: range of the search.
    """
    if low > high:
        return None
    probe, step = low, 1
    while not meets(probe):
        if probe == high:
            return None
        low, probe = probe + 1, min(probe + step, high)
        step *= 2
    while low < probe:
        middle = (low + probe) // 2
        if meets(middle):
            probe = middle
        else:
            low = middle + 1
    return low


def largest(meets: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return the largest integer from `low` to `high` that meets a monotone condition, or None if there is none.

    Args:
        meets: condition that is true for all integers below the largest one that meets it.
        low, high: range of the search.
    """
    lost = smallest(lambda value: not meets(value), low, high)
    if lost is None:
        return high if low <= high else None
    return lost - 1 if lost > low else None
