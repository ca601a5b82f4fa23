"""Check of the numbers that are pushed into an exported network."""

import numpy as np

from ..data.speech.integer_base import Ints
from ..errors import InputError


def expect_samples(values: Ints, name: str) -> Ints:
    """Check for whole numbers of 16 bits, [N]; returns them as int64.

    Raises:
        InputError: there are others, such as NaN, 0.5 and 32,768.
    """
    found = np.asarray(values)
    fits = found.ndim == 1 and found.dtype.kind in "biuf"
    if fits and len(found):
        fits = found.min() >= -32768 and found.max() <= 32767 and bool((found == np.rint(found)).all())  # none of which NaN is
    if not fits:
        raise InputError(f"{name}: expected whole numbers of 16 bits, [N], got others, {found.dtype} {list(found.shape)}. Quantise them.")
    return found.astype(np.int64)
