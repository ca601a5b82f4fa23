"""Scales of weights and outputs."""

import math

import numpy as np

from ..lowering.layers import Floats

_UNIT_BITS = 12
"""Significant bits of the unit of the read-out: few enough that float64 sums of membranes are exact, so that ties are ties."""


def scales(weight: Floats, bits: int) -> Floats:
    """One scale per neuron, [out]: at 8 bits the largest weight, below that the one of least squared error."""
    most = 2 ** (bits - 1) - 1
    flat = weight.reshape(len(weight), -1)
    largest = np.abs(flat).max(1)
    largest = np.where(largest > 0, largest, 1.0)
    if bits == 8:
        return np.asarray(largest / most)
    best, least = largest / most, np.full(len(flat), np.inf)
    for share in np.linspace(0.3, 1.0, 71):
        scale = largest * share / most
        error = ((np.clip(np.rint(flat / scale[:, None]), -most, most) * scale[:, None] - flat) ** 2).sum(1)
        best, least = np.where(error < least, scale, best), np.minimum(error, least)
    return np.asarray(best)


def short(value: float) -> float:
    """The next larger number with few significant bits."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(math.ceil(math.ldexp(mantissa, _UNIT_BITS)), exponent - _UNIT_BITS)
