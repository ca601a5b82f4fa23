"""Argument checks that need no torch: each error says what was expected, what came, and what to do."""

import difflib
import math
import operator
from collections.abc import Iterable
from numbers import Real
from pathlib import Path, PurePath
from typing import Any

from .errors import InputError, InputTypeError

__all__ = [
    "SEEDS",
    "expect_count",
    "expect_each",
    "expect_fields",
    "expect_flag",
    "expect_function",
    "expect_in",
    "expect_one_of",
    "expect_path",
    "nearest",
    "suggestion",
]

SEEDS = "[0, 4294967295]"
"""The interval of seeds that every random number generator in use takes."""


def expect_in(value: Any, interval: str, name: str, advice: str = "Choose one inside.") -> float:
    """Check that a number is finite and lies in an interval, written as in mathematics: `"[0, 1)"` or `"(0, inf)"`.

    Returns:
        the number; numbers of other types, such as those of numpy, as a float.
    """
    low, high = map(float, interval[1:-1].split(","))
    if isinstance(value, Real) and not isinstance(value, bool):
        number = value if isinstance(value, int) else float(value)
        above = number >= low if interval.startswith("[") else number > low
        below = number <= high if interval.endswith("]") else number < high
        if above and below and -math.inf < number < math.inf:
            return number
    raise InputError(f"{name}: expected a number in {interval}, got {value!r}. {advice}")


def expect_each(value: Any, count: int | None, interval: str, name: str, advice: str = "Choose one inside.") -> float | tuple[float, ...]:
    """Check one number with `expect_in`, or one for each of `count` neurons or channels.

    Args:
        value: a number, or a sequence, array or tensor of 1 or `count` numbers.
        count: how many there may be; None for any number of them.
        interval, name, advice: as in `expect_in`.
    Returns:
        a number for a number, and a tuple for all else, a tensor without axes included.
    """
    if isinstance(value, Real | str) or not (isinstance(value, Iterable) or hasattr(value, "tolist")):
        return expect_in(value, interval, name, advice)
    given = value.tolist() if hasattr(value, "tolist") else list(value)
    numbers = given if isinstance(given, list) else [given]
    if len(numbers) not in (1, count or len(numbers)) or not numbers or any(isinstance(number, Iterable) for number in numbers):
        came = f"shape {list(value.shape)}" if hasattr(value, "shape") else f"{len(numbers)} entries"
        raise InputError(f"{name}: expected one number or one for each of {count or 'the'} channels, got {came}. Give one for each.")
    return tuple(expect_in(number, interval, name, advice) for number in numbers)


def expect_count(value: Any, interval: str, name: str) -> int:
    """Check that a number is whole and lies in an interval; returns it as a plain integer, whatever integer type it came as."""
    low, high = map(float, interval[1:-1].split(","))
    try:
        whole = operator.index(value)
    except TypeError:
        whole = None
    if whole is None or isinstance(value, bool) or not low <= whole <= high:
        raise InputError(f"{name}: expected a whole number in {interval}, got {value!r}. Choose one inside.")
    return whole


def expect_flag(value: Any, name: str) -> bool:
    """Check that a value is True or False."""
    if isinstance(value, bool):
        return value
    raise InputTypeError(f"{name}: expected True or False, got {value!r}. Pass one of these.")


def expect_function(value: Any, name: str, example: str) -> Any:
    """Check that a value can be called as a function can; a class, which is an instance forgotten, cannot."""
    if callable(value) and not isinstance(value, type):
        return value
    raise InputTypeError(f"{name}: expected a function such as {example}, got {value!r}. Pass an instance or a function.")


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


def expect_path(value: Any, name: str) -> Path:
    """Check that a value names a file or folder, which need not be there; returns it as a path."""
    if isinstance(value, str | PurePath) and "\0" not in str(value):
        return Path(value)
    raise InputTypeError(f"{name}: expected a path, got {value!r}. Name a file or folder.")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that begins with this one, or else the most similar; None if none is near."""
    words = list(known)
    begun = [other for other in words if word and other.startswith(word)]
    return next(iter(begun or difflib.get_close_matches(word, words, n=1)), None)


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint at the nearest known word, with a space before it; empty if none is near."""
    near = nearest(word, known)
    return f" Did you mean '{near}'?" if near else ""
