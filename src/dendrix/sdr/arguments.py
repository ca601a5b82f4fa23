"""Argument checks of the theory: counts are integers, probabilities lie in [0, 1], arrays broadcast, and the result fits in memory."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts: TypeAlias = ArrayLike
"""An integer, or an array of integers that broadcasts with the others."""

Chances: TypeAlias = ArrayLike | Fraction | Sequence[Fraction]
"""A probability or an array of them, as floats or as fractions."""

Result: TypeAlias = Any
"""float64: a float for integers, an ndarray for arrays; exact: Fraction; mpmath: mpf; for arrays of settings, object arrays of these."""

BACKENDS = ("float64", "exact", "mpmath")

_LARGEST = 2**53
_MOST_SETTINGS = 10**8


def integers(**values: Counts) -> list[NDArray[np.int64]]:
    """The values as integer arrays broadcast against each other; all but `theta` must be at least 0.

    Raises:
        ValueError: one is not a whole number, negative or above 2^53, shapes do not broadcast, or the grid has over 10^8 settings.
    """
    arrays = [_whole(name, value) for name, value in values.items()]
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in zip(values, arrays, strict=True))
        raise ValueError(f"expected shapes that broadcast, got {shapes}. Put each axis of the grid on its own dimension.") from None
    if math.prod(shape) > _MOST_SETTINGS:
        raise ValueError(f"expected a grid of at most {_MOST_SETTINGS:,} settings, got {math.prod(shape):,}. Evaluate it in parts.")
    return list(np.broadcast_arrays(*arrays))


def _whole(name: str, value: Counts) -> NDArray[np.int64]:
    """One value as int64. Floats pass if they are whole: 1e6 is an integer, 10.5 is not."""
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name}: expected an integer or an array of integers, got {value!r}. Give whole numbers.")
    wrong = array[~(np.abs(array) <= _LARGEST) | (np.floor(array) != array)]
    if wrong.size:
        raise ValueError(f"{name}: expected whole numbers up to 2^53, got {wrong.flat[0]}. Round it, or choose a smaller one.")
    if name != "theta" and (array < 0).any():
        raise ValueError(f"{name}: expected at least 0, got {array.min()}. Counts are not negative.")
    return array.astype(np.int64)


def at_most(**pairs: NDArray[np.int64]) -> None:
    """Check that the first array is nowhere above the second, both given by name.

    Raises:
        ValueError: it is, with the first such pair.
    """
    (small, less), (large, more) = pairs.items()
    wrong = np.broadcast_arrays(less, more)
    above = wrong[0] > wrong[1]
    if above.any():
        left, right = (int(array[above].flat[0]) for array in wrong)
        raise ValueError(f"{small}: expected at most {large}, got {small}={left} with {large}={right}. Lower {small} or raise {large}.")


def probabilities(name: str, value: Chances) -> NDArray[Any]:
    """The value as an array of floats, or of fractions if it has any.

    Raises:
        ValueError: not a number in [0, 1].
    """
    array = np.asarray(value)
    fractions = array.dtype == object and all(isinstance(entry, Fraction | int | float) for entry in array.flat)
    if not fractions and array.dtype.kind not in "iuf":
        raise ValueError(f"{name}: expected a probability or an array of them, got {value!r}. Give numbers in [0, 1].")
    wrong = array[~((array >= 0) & (array <= 1)).astype(bool)]
    if wrong.size:
        raise ValueError(f"{name}: expected probabilities in [0, 1], got {wrong.flat[0]}. Choose one inside.")
    return array if fractions else array.astype(np.float64)


def choose(word: str, words: tuple[str, ...] = BACKENDS, name: str = "backend") -> str:
    """Check a word against the allowed ones."""
    if word not in words:
        raise ValueError(f"{name}: expected one of {', '.join(words)}, got '{word}'. Choose one of them.")
    return word


def plain(values: NDArray[np.float64]) -> Result:
    """A float where the settings were scalars."""
    return float(values) if values.ndim == 0 else values
