"""One layer in whole numbers, with named arrays; networks hold the flat tables that these are read from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .layout import LayerForm

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class IntegerLayer:
    """Integer weights and constants of a layer. Equations: `reference.layer_step`. Arrays are int64."""

    form: LayerForm
    weight: Ints
    """[out, in, K]"""
    delay: Ints
    """[out, in, K], in steps."""
    bias: Ints
    """As all that follow up to `jump`, [out], and in the unit of the membrane where nothing else is said."""
    decay: Ints
    """Times 2^15, as `slow_decay` and `coupling`."""
    threshold: Ints
    reset: Ints
    start: Ints
    slow_decay: Ints
    coupling: Ints
    jump: Ints
    feedback_weight: Ints | None = None
    """[out, out, K]"""
    feedback_delay: Ints | None = None
