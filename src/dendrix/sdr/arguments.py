"""Argument checks of `dendrix.sdr`: integer counts, probabilities in [0, 1], shapes that broadcast, and results that fit in memory."""

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
"""A probability or an array of probabilities, as floats or as fractions."""

Result: TypeAlias = Any
"""A float, `Fraction` or `mpf` for the backends "float64", "exact" and "mpmath"; an array of these for array arguments."""

BACKENDS = ("float64", "exact", "mpmath")

LARGEST_INDEX = 2**31 - 1
"""Largest index of a cell, code or unit, stored in 4 bytes."""

_LARGEST = 2**53
_MOST_SETTINGS = 10**8
_FROM_ZERO = ("theta", "v", "seed")


def integers(**values: Counts) -> list[NDArray[np.int64]]:
    """Convert values to integer arrays of one broadcast shape.

    Args:
        values: integers or arrays of integers by name; all except `theta` must be at least 0.
    Raises:
        InputError: a value is not an integer, is negative or above 2^53, the shapes do not broadcast, or the grid has over 10^8 settings.
    """
    return broadcast(**{name: _whole(name, value) for name, value in values.items()})


def broadcast(**arrays: NDArray[Any]) -> list[NDArray[Any]]:
    """Broadcast arrays to one shape.

    Args:
        arrays: arrays by name.
    Raises:
        InputError: the shapes do not broadcast, or the grid has over 10^8 settings.
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
    """Convert a value to int64. Floats are accepted if they are integers: 1e6 is, 10.5 is not."""
    array = _array(name, value)
    if isinstance(value, int) and array.dtype.kind == "O":  # beyond 64 bits
        raise InputError(f"{name}: expected whole numbers up to 2^53, got {value}. Choose a smaller one.")
    if array.dtype.kind not in "iuf":
        raise InputError(f"{name}: expected an integer or an array of integers, got {_shown(value, array)}. Give whole numbers.")
    wrong = array[~((array >= -_LARGEST) & (array <= _LARGEST)) | (np.floor(array) != array)]
    if wrong.size:
        raise InputError(f"{name}: expected whole numbers up to 2^53, got {wrong.flat[0]}. Round it, or choose a smaller one.")
    if name != "theta" and (array < 0).any():
        raise InputError(f"{name}: expected at least 0, got {array.min()}. Counts cannot be negative.")
    return array.astype(np.int64)


def whole(**values: int) -> list[int]:
    """Convert values to Python integers.

    Args:
        values: integers by name; all except `theta`, `v` and `seed` must be at least 1.
    Raises:
        InputError: a value is an array, not an integer, or too small.
    """
    arrays = [_whole(name, value) for name, value in values.items()]
    for name, array in zip(values, arrays, strict=True):
        if array.ndim:
            raise InputError(f"{name}: expected one setting at a time, got an array {list(array.shape)}. Loop over the settings.")
        if name not in _FROM_ZERO and array < 1:
            raise InputError(f"{name}: expected at least 1, got {array}. Choose a larger number.")
    return [int(array) for array in arrays]


def whole_number(value: int, name: str, low: int, high: int, advice: str) -> int:
    """Return the value if it is an integer from `low` to `high`.

    Args:
        value: value to check.
        name: name of the argument, for the error message.
        low, high: smallest and largest accepted value.
        advice: end of the error message.
    Raises:
        InputError: the value is not an integer, or outside the range.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{name}: expected a whole number from {low} to {high}, got {value!r}. {advice}")
    return int(value)


def whole_numbers(values: ArrayLike, name: str, advice: str) -> NDArray[np.integer]:
    """Convert values to an integer array; an empty list is accepted.

    Args:
        values: values to convert.
        name: name of the argument, for the error message.
        advice: end of the error message.
    Raises:
        InputTypeError: the values are floats or booleans.
        InputError: the values are lists of unequal lengths.
    """
    array = _array(name, values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise InputTypeError(f"{name}: expected whole numbers, got {array.dtype}. {advice}")
    return array if array.size else array.astype(np.int64)


def at_most(**pairs: ArrayLike) -> None:
    """Check that no element of the first array exceeds that of the second.

    Args:
        pairs: two arrays by name.
    Raises:
        InputError: an element does; the message shows the first such pair.
    """
    (small, less), (large, more) = pairs.items()
    wrong = np.broadcast_arrays(less, more)
    above = wrong[0] > wrong[1]
    if above.any():
        left, right = (int(array[above].flat[0]) for array in wrong)
        raise InputError(f"{small}: expected at most {large}, got {small}={left} with {large}={right}. Lower {small} or raise {large}.")


def probability(name: str, value: float | Fraction) -> float | Fraction:
    """Return the value as a float or `Fraction` if it is a number in [0, 1].

    Args:
        name: name of the argument, for the error message.
        value: value to check.
    Raises:
        InputError: the value is not a number in [0, 1].
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not 0 <= value <= 1:
        raise InputError(f"{name}: expected a probability in [0, 1], got {_shown(value, np.asarray(value))}. Choose one inside.")
    return value if isinstance(value, Fraction) else float(value)


def probabilities(name: str, value: Chances) -> NDArray[Any]:
    """Convert probabilities to an array of floats, or of fractions if there are any.

    Args:
        name: name of the argument, for the error message.
        value: numbers in [0, 1].
    Raises:
        InputError: a value is not a number in [0, 1].
    """
    array = _array(name, value)
    fractions = array.dtype == object and all(isinstance(entry, Fraction | int | float) for entry in array.flat)
    if not fractions and array.dtype.kind not in "iuf":
        raise InputError(
            f"{name}: expected a probability or an array of probabilities, got {_shown(value, array)}. Give numbers in [0, 1]."
        )
    wrong = array[~((array >= 0) & (array <= 1)).astype(bool)]
    if wrong.size:
        raise InputError(f"{name}: expected probabilities in [0, 1], got {wrong.flat[0]}. Choose one inside.")
    return array if fractions else array.astype(np.float64)


def _array(name: str, value: Any) -> NDArray[Any]:
    """Convert a value to an array."""
    try:
        return np.asarray(value)
    except ValueError:
        raise InputError(f"{name}: expected a number or an array, got lists of unequal lengths. Give one value per setting.") from None


def _shown(value: Any, array: NDArray[Any]) -> str:
    """Format an invalid value for an error message: the value itself, or the type and shape of a large array."""
    return repr(value) if array.size <= 4 else f"{array.dtype} {list(array.shape)}"


def choose(word: str, words: tuple[str, ...] = BACKENDS, name: str = "backend") -> str:
    """Return the word if it is one of the allowed words.

    Args:
        word: word to check.
        words: allowed words.
        name: name of the argument, for the error message.
    Raises:
        InputError: the word is not allowed.
    """
    if word not in words:
        raise InputError(f"{name}: expected one of {', '.join(words)}, got '{word}'. Choose one of them.")
    return word


def plain(values: NDArray[np.float64]) -> Result:
    """Return a float for scalar settings, and the array otherwise."""
    return float(values) if values.ndim == 0 else values
