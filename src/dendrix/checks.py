"""Argument checks without torch. Messages name the expected value, the actual value and a remedy."""

import difflib
import math
import operator
from collections.abc import Iterable, Mapping, Set
from dataclasses import fields
from numbers import Real
from pathlib import Path, PurePath
from typing import Any

from .errors import InputError, InputTypeError

__all__ = [
    "SEEDS",
    "expect_count",
    "expect_counts",
    "expect_each",
    "expect_fields",
    "expect_flag",
    "expect_function",
    "expect_in",
    "expect_instance",
    "expect_one_of",
    "expect_path",
    "nearest",
    "not_one_of",
    "shown",
    "suggestion",
]

SEEDS = "[0, 4294967295]"
"""Interval of the seeds that all random number generators in use accept."""

_LARGEST = 3.4e38
"""Limit of the magnitude of float32 numbers, rounded down."""
_LARGEST_COUNT = 2**63 - 1
"""Limit of the int64 sizes of tensors."""


def shown(value: Any) -> str:
    """The `repr` of a value for an error message: on one line, and shortened to about 80 characters."""
    if isinstance(value, int) and value.bit_length() > 1_024:  # Python refuses to print integers of more than 4,300 digits
        return f"an integer of {value.bit_length()} bits"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def expect_in(value: Any, interval: str, name: str, advice: str = "Choose one inside.") -> float:
    """Check that a number fits float32 and lies in an interval, written as in mathematics: `"[0, 1)"` or `"(0, inf)"`.

    Returns:
        the number; numbers of other types, such as those of numpy, are converted to float.
    """
    low, high = map(float, interval[1:-1].split(","))
    if isinstance(value, Real) and not isinstance(value, bool):
        number = value if isinstance(value, int) else float(value)
        above = number >= low if interval.startswith("[") else number > low
        below = number <= high if interval.endswith("]") else number < high
        if above and below and abs(number) <= _LARGEST:
            return number
        if math.inf > abs(number) > _LARGEST:
            advice = "Numbers beyond 3.4e38 do not fit float32."
    raise InputError(f"{name}: expected a number in {interval}, got {shown(value)}. {advice}")


def expect_each(value: Any, count: int | None, interval: str, name: str, advice: str = "Choose one inside.") -> float | tuple[float, ...]:
    """Check one number with `expect_in`, or one per neuron or channel.

    Args:
        value: a number, or a sequence, array or tensor of 1 or `count` numbers.
        count: number of neurons or channels; None allows any number.
        interval, name, advice: as in `expect_in`.
    Returns:
        a number for a number, and a tuple otherwise, also for a tensor without axes.
    """
    if isinstance(value, Real | str | Mapping | Set) or not (isinstance(value, Iterable) or hasattr(value, "tolist")):
        return expect_in(value, interval, name, advice)
    given = value.tolist() if hasattr(value, "tolist") else list(value)
    numbers = given if isinstance(given, list) else [given]
    if len(numbers) not in (1, count or len(numbers)) or not numbers or any(isinstance(number, Iterable) for number in numbers):
        came = f"shape {list(value.shape)}" if hasattr(value, "shape") else f"{len(numbers)} entries"
        raise InputError(f"{name}: expected one number or one for each of {count or 'the'} channels, got {came}. Give one for each.")
    return tuple(expect_in(number, interval, name, advice) for number in numbers)


def expect_count(value: Any, interval: str, name: str) -> int:
    """Check that a number of any integer type lies in an interval, where inf is the limit of int64; returns it as an int."""
    low, high = interval[1:-1].split(",")
    try:
        whole = operator.index(value)
    except TypeError:
        whole = None
    if whole is None or isinstance(value, bool) or not int(low) <= whole <= (_LARGEST_COUNT if high.strip() == "inf" else int(high)):
        raise InputError(f"{name}: expected a whole number in {interval}, got {shown(value)}. Choose one inside.")
    return whole


def expect_counts(values: Any, name: str, *, least: int = 0) -> tuple[int, ...]:
    """Check a sequence of whole numbers of at least one, such as layer sizes.

    Args:
        values: the sequence; JSON has lists.
        name: name of the argument in the error.
        least: smallest length.
    Returns:
        the numbers as a tuple.
    """
    if isinstance(values, str) or not isinstance(values, Iterable) or len(found := tuple(values)) < least:
        raise InputError(f"{name}: expected {f'{least} or more ' if least else ''}whole numbers, such as (128, 128), got {shown(values)}.")
    return tuple(expect_count(value, "[1, inf)", name) for value in found)


def expect_instance(value: Any, kind: type, name: str) -> Any:
    """Check that a value is an instance of a class."""
    if isinstance(value, kind):
        return value
    raise InputTypeError(f"{name}: expected a {kind.__name__}, got {shown(value)}. Pass an instance of that class.")


def expect_flag(value: Any, name: str) -> bool:
    """Check that a value is True or False."""
    if isinstance(value, bool):
        return value
    raise InputTypeError(f"{name}: expected True or False, got {shown(value)}. Pass one of these.")


def expect_function(value: Any, name: str, example: str) -> Any:
    """Check that a value is callable and not a class, which is usually an instance without its parentheses."""
    if callable(value) and not isinstance(value, type):
        return value
    raise InputTypeError(f"{name}: expected a function such as {example}, got {shown(value)}. Pass an instance or a function.")


def expect_fields(config: Any, *, whole: Iterable[str] = (), **intervals: str) -> None:
    """Check fields of a configuration with `expect_in`, or with `expect_count` if they are `whole`.

    None passes if the type of the field allows it.
    """
    types = {field.name: str(field.type) for field in fields(config)}
    for name, interval in intervals.items():
        if (value := getattr(config, name)) is not None or "None" not in types[name]:
            if name in whole:
                expect_count(value, interval, name)
            else:
                expect_in(value, interval, name)


def expect_one_of(value: str, choices: Iterable[str], name: str) -> str:
    """Check that a value is one of the allowed words; the error suggests the nearest."""
    allowed = sorted(choices)
    if isinstance(value, str) and value in allowed:
        return value
    raise InputError(not_one_of(value, allowed, name))


def not_one_of(value: Any, choices: Iterable[str], name: str) -> str:
    """Return the message for a value that is not among the choices; the nearest one comes before the list, which may be long."""
    every = list(choices)
    hint = suggestion(value, every) if isinstance(value, str) else ""
    if hint:
        return f"{name}: got {shown(value)}.{hint} Expected one of {', '.join(every)}."
    return f"{name}: expected one of {', '.join(every)}, got {shown(value)}."


def expect_path(value: Any, name: str) -> Path:
    """Check that a value names a file or folder, which need not be there; returns it as a path."""
    if isinstance(value, str | PurePath) and "\0" not in str(value):
        return Path(value)
    raise InputTypeError(f"{name}: expected a path, got {value!r}. Name a file or folder.")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return a known word that starts with the given one, else the most similar one, or None."""
    words = list(known)
    begun = [other for other in words if word and other.startswith(word)]
    return next(iter(begun or difflib.get_close_matches(word, words, n=1)), None)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean '...'?" with the nearest known word, or an empty string."""
    near = nearest(word, known)
    return f" Did you mean '{near}'?" if near else ""
