"""Checks of the arguments of figures."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError


def numbers(values: ArrayLike, axes: str, name: str) -> NDArray[np.float64]:
    """Return finite numbers as an array.

    Args:
        values: tensor, array or nested list.
        axes: names of the axes, such as "TN".
        name: name of the argument, for the error.
    Raises:
        InputError: another number of axes, an empty one, or a value that is no finite number.
    """
    given: Any = values.detach().cpu() if hasattr(values, "detach") else values
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: expected numbers [{', '.join(axes)}], got {type(values).__name__} ({error}).") from error
    if array.ndim != len(axes) or not array.size:
        raise InputError(f"{name}: expected numbers [{', '.join(axes)}], got shape {list(array.shape)}. Select one input of a batch.")
    if not np.isfinite(array).all():
        raise InputError(f"{name}: expected finite numbers, got NaN or infinity. Check the network.")
    return array
