"""Bisection over whole numbers, and when a probability meets its target."""

import math
from collections.abc import Callable

from ..errors import InputError
from .arguments import probability

TIE = 1e-12  # relative: the accuracy of the float64 probabilities


def log_target(name: str, target: float) -> float:
    """The natural logarithm of a target error; a probability that equals the target up to rounding meets it.

    Raises:
        ValueError: if the target is no probability above 0.
    """
    if not probability(name, target):
        raise InputError(f"{name}: expected a probability above 0, got 0. Nothing but an impossible error is that rare.")
    return math.log(target) + TIE


def smallest(meets: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest of low..high that meets a condition which, once met, stays met; None where none does.

    Steps that double lead up to it, so that what is costly for large numbers is asked of numbers of its own size.
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
    """The largest of low..high that meets a condition which, once lost, stays lost; None where none does."""
    lost = smallest(lambda value: not meets(value), low, high)
    if lost is None:
        return high if low <= high else None
    return lost - 1 if lost > low else None
