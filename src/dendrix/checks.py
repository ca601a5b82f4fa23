"""Argument checks that need no torch: each error says what was expected, what came, and what to do."""

import difflib
import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any

from .errors import InputError

__all__ = ["SEEDS", "expect_count", "expect_fields", "expect_in", "expect_one_of", "nearest", "suggestion"]

SEEDS = "[0, 4294967295]"
"""The interval of seeds that every random number generator in use takes."""


def expect_in(value: float, interval: str, name: str) -> None:
    """Check that a number is finite and lies in an interval, written as in mathematics: `"[0, 1)"` or `"(0, inf)"`."""
    low, high = map(float, interval[1:-1].split(","))
    if isinstance(value, Real) and math.isfinite(value):
        above = value >= low if interval.startswith("[") else value > low
        below = value <= high if interval.endswith("]") else value < high
        if above and below:
            return
    raise InputError(f"{name}: expected a number in {interval}, got {value!r}. Choose one inside.")


def expect_count(value: Any, interval: str, name: str) -> int:
    """Check that a number is whole and lies in an interval; returns it as a plain integer, whatever integer type it came as."""
    try:
        whole = operator.index(value)
    except TypeError:
        whole = None
    if whole is None or isinstance(value, bool):
        raise InputError(f"{name}: expected a whole number in {interval}, got {value!r}. Choose one inside.")
    expect_in(whole, interval, name)
    return whole


def expect_fields(config: object, *, whole: Iterable[str] = (), **intervals: str) -> None:
    """Check fields of a configuration with `expect_in`, or `expect_count` for those that are `whole`; one that is None passes."""
    for name, interval in intervals.items():
        if (value := getattr(config, name)) is not None:
            if name in whole:
                expect_count(value, interval, name)
            else:
                expect_in(value, interval, name)


def expect_one_of(value: str, choices: Iterable[str], name: str) -> str:
    """Check a word against the allowed ones; a miss suggests the nearest."""
    allowed = sorted(choices)
    if value in allowed:
        return value
    raise InputError(f"{name}: expected one of {', '.join(allowed)}, got '{value}'.{suggestion(str(value), allowed)}")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that begins with this one, or else the most similar; None if none is near."""
    words = list(known)
    begun = [other for other in words if word and other.startswith(word)]
    return next(iter(begun or difflib.get_close_matches(word, words, n=1)), None)


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint at the nearest known word, with a space before it; empty if none is near."""
    near = nearest(word, known)
    return f" Did you mean '{near}'?" if near else ""
