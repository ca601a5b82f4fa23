"""Argument checks: counts are whole numbers, probabilities lie in [0, 1], arrays broadcast, and results fit in memory."""

import math
import numbers
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, InputTypeError

Counts: TypeAlias = ArrayLike
"""An integer, or an array of integers that broadcasts with the others."""

Chances: TypeAlias = ArrayLike | Fraction | Sequence[Fraction]
"""A probability or an array of them, as floats or as fractions."""

Result: TypeAlias = Any
"""float64: a float for integers, an ndarray for arrays; exact: Fraction; mpmath: mpf; for arrays of settings, object arrays of these."""

BACKENDS = ("float64", "exact", "mpmath")

LARGEST_INDEX = 2**31 - 1
"""The largest number of a cell, code or unit: it takes 4 bytes."""

_LARGEST = 2**53
_MOST_SETTINGS = 10**8
_FROM_ZERO = ("theta", "v", "seed")


def integers(**values: Counts) -> list[NDArray[np.int64]]:
    """The values as integer arrays broadcast against each other; all but `theta` must be at least 0.

    Raises:
        ValueError: one is not a whole number, negative or above 2^53, shapes do not broadcast, or the grid has over 10^8 settings.
    """
    return broadcast(**{name: _whole(name, value) for name, value in values.items()})


def broadcast(**arrays: NDArray[Any]) -> list[NDArray[Any]]:
    """The arrays at one shape.

    Raises:
        ValueError: the shapes do not broadcast, or the grid has over 10^8 settings.
    """
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise InputError(f"expected shapes that broadcast, got {shapes}. Put each axis of the grid on its own dimension.") from None
    if math.prod(shape) > _MOST_SETTINGS:
        raise InputError(f"expected a grid of at most {_MOST_SETTINGS:,} settings, got {math.prod(shape):,}. Evaluate it in parts.")
    return list(np.broadcast_arrays(*arrays.values()))


def _whole(name: str, value: Counts) -> NDArray[np.int64]:
    """One value as int64. Floats pass if they are whole: 1e6 is an integer, 10.5 is not."""
    array = _array(name, value)
    if isinstance(value, int) and array.dtype.kind == "O":  # beyond 64 bits
        raise InputError(f"{name}: expected whole numbers up to 2^53, got {value}. Choose a smaller one.")
    if array.dtype.kind not in "iuf":
        raise InputError(f"{name}: expected an integer or an array of integers, got {_shown(value, array)}. Give whole numbers.")
    wrong = array[~((array >= -_LARGEST) & (array <= _LARGEST)) | (np.floor(array) != array)]
    if wrong.size:
        raise InputError(f"{name}: expected whole numbers up to 2^53, got {wrong.flat[0]}. Round it, or choose a smaller one.")
    if name != "theta" and (array < 0).any():
        raise InputError(f"{name}: expected at least 0, got {array.min()}. Counts are not negative.")
    return array.astype(np.int64)


def whole(**values: int) -> list[int]:
    """The values as Python integers; all but `theta`, `v` and `seed` must be at least 1.

    Raises:
        ValueError: one is an array, no whole number, or too small.
    """
    arrays = [_whole(name, value) for name, value in values.items()]
    for name, array in zip(values, arrays, strict=True):
        if array.ndim:
            raise InputError(f"{name}: expected one setting at a time, got an array {list(array.shape)}. Loop over the settings.")
        if name not in _FROM_ZERO and array < 1:
            raise InputError(f"{name} must be at least 1, got {array}.")
    return [int(array) for array in arrays]


def whole_number(value: int, name: str, low: int, high: int, advice: str) -> int:
    """The value, if it is a whole number from `low` to `high`.

    Raises:
        ValueError: it is not; the sentence ends with the advice.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{name}: expected a whole number from {low} to {high}, got {value!r}. {advice}")
    return int(value)


def whole_numbers(values: ArrayLike, name: str, advice: str) -> NDArray[np.integer]:
    """The values as an array of whole numbers; an empty list counts as one.

    Raises:
        TypeError: they are floats or booleans; the sentence ends with the advice.
    """
    array = _array(name, values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise InputTypeError(f"{name}: expected whole numbers, got {array.dtype}. {advice}")
    return array if array.size else array.astype(np.int64)


def at_most(**pairs: ArrayLike) -> None:
    """Check that the first array is nowhere above the second, both given by name.

    Raises:
        ValueError: it is, with the first such pair.
    """
    (small, less), (large, more) = pairs.items()
    wrong = np.broadcast_arrays(less, more)
    above = wrong[0] > wrong[1]
    if above.any():
        left, right = (int(array[above].flat[0]) for array in wrong)
        raise InputError(f"{small}: expected at most {large}, got {small}={left} with {large}={right}. Lower {small} or raise {large}.")


def probability(name: str, value: float | Fraction) -> float | Fraction:
    """The value, if it is a number in [0, 1].

    Raises:
        ValueError: it is not, or it is an array.
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not 0 <= value <= 1:
        raise InputError(f"{name}: expected a probability in [0, 1], got {_shown(value, np.asarray(value))}. Choose one inside.")
    return value if isinstance(value, Fraction) else float(value)


def probabilities(name: str, value: Chances) -> NDArray[Any]:
    """The value as an array of floats, or of fractions if it has any.

    Raises:
        ValueError: not a number in [0, 1].
    """
    array = _array(name, value)
    fractions = array.dtype == object and all(isinstance(entry, Fraction | int | float) for entry in array.flat)
    if not fractions and array.dtype.kind not in "iuf":
        raise InputError(f"{name}: expected a probability or an array of them, got {_shown(value, array)}. Give numbers in [0, 1].")
    wrong = array[~((array >= 0) & (array <= 1)).astype(bool)]
    if wrong.size:
        raise InputError(f"{name}: expected probabilities in [0, 1], got {wrong.flat[0]}. Choose one inside.")
    return array if fractions else array.astype(np.float64)


def _array(name: str, value: Any) -> NDArray[Any]:
    """The value as an array of any kind."""
    try:
        return np.asarray(value)
    except ValueError:
        raise InputError(f"{name}: expected a number or an array, got lists of unequal lengths. Give one value per setting.") from None


def _shown(value: Any, array: NDArray[Any]) -> str:
    """A wrong value in an error: as it is, or if it is many, what they are."""
    return repr(value) if array.size <= 4 else f"{array.dtype} {list(array.shape)}"


def choose(word: str, words: tuple[str, ...] = BACKENDS, name: str = "backend") -> str:
    """Check a word against the allowed ones."""
    if word not in words:
        raise InputError(f"{name}: expected one of {', '.join(words)}, got '{word}'. Choose one of them.")
    return word


def plain(values: NDArray[np.float64]) -> Result:
    """A float where the settings were scalars."""
    return float(values) if values.ndim == 0 else values
