"""Argument checks of codes, search and statistics: whole numbers in their range."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

LARGEST = 2**31 - 1


def whole_number(value: int, name: str, low: int, high: int, advice: str) -> int:
    """The value, if it is a whole number from `low` to `high`.

    Raises:
        ValueError: it is not; the sentence ends with the advice.
    """
    if not isinstance(value, int | np.integer) or not low <= value <= high:
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, got {value!r}. {advice}")
    return int(value)


def whole_numbers(values: ArrayLike, name: str, advice: str) -> NDArray[np.integer]:
    """The values as an array of whole numbers; an empty list counts as one.

    Raises:
        TypeError: they are floats or booleans; the sentence ends with the advice.
    """
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name}: expected whole numbers, got {array.dtype}. {advice}")
    return array if array.size else array.astype(np.int64)
