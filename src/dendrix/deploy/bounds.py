"""Proof that no number of an integer network overflows: the largest that any input can bring, layer by layer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .integer_layer import IntegerLayer

LIMIT = 2**31
"""Bound that membranes and pending sums must stay below."""
_LONGEST = 1 << 22
"""Steps after which the response to an impulse must have died away."""


@dataclass(frozen=True)
class Bound:
    """Largest magnitudes in one layer, for any input of any length."""

    path: str
    pending: int
    """Of a sum of weighted inputs before its arrival; these sums are never saturated, as results would depend on their order."""
    membrane: float
    """Of a membrane, current or adaptation before saturation; infinite for neurons without leak, which saturate by definition."""

    @property
    def proven(self) -> bool:
        """Whether nothing overflows or saturates; for neurons without leak, whether no pending sum overflows."""
        return self.pending < LIMIT and (self.membrane < LIMIT or self.membrane == np.inf)


def bound(layer: IntegerLayer, largest: int) -> Bound:
    """Bound one layer.

    Args:
        layer: the layer.
        largest: largest magnitude of an input: 1 for spikes.
    """
    pending = np.abs(layer.weight).sum((1, 2)) * largest
    drive = (pending << layer.form.shift) + np.abs(layer.bias)
    if layer.feedback_weight is not None:
        own = np.abs(layer.feedback_weight).sum((1, 2))
        drive, pending = drive + (own << layer.form.feedback_shift), np.maximum(pending, own)
    return Bound(layer.form.path, int(pending.max()), float(_membrane(layer, drive.astype(np.float64)).max()))


def _membrane(layer: IntegerLayer, drive: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound per neuron, [out]; every rounded product adds at most 1."""
    decay, slow = layer.decay / 2**15, layer.slow_decay / 2**15
    if layer.form.kind == "adlif":
        return _adaptive(layer, decay, slow, drive)
    held = np.maximum(np.abs(layer.reset), np.abs(layer.start))
    if layer.form.kind == "cuba":
        drive = _settled(slow, drive + 1)
    return np.maximum(_settled(decay, drive + 1), held + drive + 1)


def _settled(decay: NDArray[np.float64], drive: NDArray[np.float64]) -> NDArray[np.float64]:
    """Limit of |v| <= decay |v| + drive."""
    with np.errstate(divide="ignore"):
        return np.where(decay < 1, drive / (1 - decay), np.inf)


def _adaptive(
    layer: IntegerLayer, decay: NDArray[np.float64], slow: NDArray[np.float64], drive: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum of the magnitudes of the impulse responses of membrane and adaptation to the drive, to spikes and to rounding.

    Spikes and rounding errors are bounded inputs of the linear system w <- slow w + coupling u;  u <- decay u + drive - w.
    """
    coupling = layer.coupling / 2**15
    jump, cut = np.abs(layer.jump) + 1.0, decay * layer.threshold
    u = np.stack([np.ones_like(decay), -np.ones_like(decay)])  # responses to an impulse of the drive, and of the adaptation
    w = np.stack([np.zeros_like(decay), np.ones_like(decay)])
    reach_u, reach_w = np.abs(u), np.abs(w)
    for _ in range(_LONGEST):
        w = slow * w + coupling * u
        u = decay * u - w
        reach_u, reach_w = reach_u + np.abs(u), reach_w + np.abs(w)
        size = np.abs(u) + np.abs(w)
        if size.max() < 1e-9 or size.max() > LIMIT:
            break
    into_u = drive + cut + 1
    found = np.maximum(reach_u[0] * into_u + reach_u[1] * jump, reach_w[0] * into_u + reach_w[1] * jump)
    return np.where(size.max(0) < 1e-6, found + 1, np.inf)
