"""Quantisation of a network: scales of weights and inputs from training data, and constants in the units of the membranes."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
import torch
from torch import nn

from ..core import expect_count
from ..errors import InputError
from ..exits.network import Item, parts
from ..lowering.layers import Floats, Layer, Synapses, lower
from ..models import Converted
from .bounds import LIMIT, bound
from .image_network import IntegerImageNetwork
from .image_quantiser import quantise_images
from .integer_layer import IntegerLayer, Ints
from .layout import LayerForm
from .network import InputForm, IntegerNetwork
from .scales import scales, short

_SHIFT = 8
"""Largest number of fractional bits that a membrane has below its smallest weight."""
_FRAME_SHIFT = 8
"""Fractional bits of frames in 16 bits."""


@overload
def quantise(  # type: ignore[overload-overlap]
    network: Converted, data: Iterable[Item] = (), *, weights: int = 8
) -> IntegerImageNetwork: ...
@overload
def quantise(network: nn.Module, data: Iterable[Item], *, weights: int = 8, input_bits: int | None = None) -> IntegerNetwork: ...
def quantise(
    network: nn.Module, data: Iterable[Item] = (), *, weights: int = 8, input_bits: int | None = None
) -> IntegerNetwork | IntegerImageNetwork:
    """Quantise a network to integers.

    Weights have one scale per neuron and membranes 32 bits. BatchNorm, scaled inputs and spike amplitudes are folded in.

    Args:
        network: delay or linear layers, BatchNorm, dropout and neurons in sequence, see `lower`; or a converted image network, see
            `quantise_images`, which takes images of bytes and needs no data.
        data: batches of training inputs, as `dendrix.data.Batch`: (x, valid, y), (x, y) or x; x [B, T, C]. They choose the scale of the
            input and nothing else. Never pass data that measure the result.
        weights: bits of a weight, 2 to 8.
        input_bits: 8 or 16; None chooses 8 where inputs are counts or lose little by it.
    Returns:
        the integer network, in evaluation mode.
    Raises:
        InputError: a part of the network has no integer form, a weight is not finite, inputs do not fit into 16 bits, or a sum could
            overflow.
    """
    expect_count(weights, "[2, 8]", "weights")
    if isinstance(network, Converted):
        return quantise_images(network, weights)
    layers = lower(network)
    form = input_form(data, input_bits, layers[0].synapses.weight.shape[1])
    found, scale, largest = [], 2.0**-form.shift, -form.low
    for layer in layers:
        found.append(_quantised(layer, weights, scale, largest, last=layer is layers[-1]))
        scale, largest = 1.0, 1
    result = IntegerNetwork.of([one.layer for one in found], form, found[-1].unit, weights)
    result.eval()
    return result


@dataclass(frozen=True)
class _Quantised:
    layer: IntegerLayer
    unit: float
    """Value of one unit of the output."""


def input_form(data: Iterable[Item], bits: int | None, channels: int) -> InputForm:
    """Choose the integer form of the inputs from their range.

    Raises:
        InputError: there are none, they have another number of channels, or they do not fit into 16 bits.
    """
    largest, counts, seen = 0.0, True, False
    for item in data:
        x, valid, _ = parts(item)
        if x.is_complex():
            raise InputError(f"data: expected real inputs, got {x.dtype}. Convert them first.")
        x = x.float() if x.dtype == torch.bool else x
        if x.dim() != 3 or x.shape[2] != channels:
            raise InputError(
                f"data: expected batches [B, T, C={channels}], got {list(x.shape)}. Use the data that the network was trained on."
            )
        x = x if valid is None else x[valid]
        if not torch.isfinite(x).all():
            raise InputError("data: expected finite inputs, got NaN or infinity. Clean them first.")
        largest, seen = max(largest, float(x.abs().max()) if x.numel() else 0.0), seen or x.numel() > 0
        counts = counts and bool((x == x.round()).all())
    if not seen:
        raise InputError("data: expected at least one batch of training inputs, got none. Check the split.")
    if bits not in (None, 8, 16):
        raise InputError(f"input_bits: expected 8 or 16, got {bits}. Leave it out to have it chosen.")
    if counts:
        chosen, shift = bits or (8 if largest < 128 else 16), 0
    else:
        narrow = math.floor(math.log2(127 / max(largest, 2.0**-8)))
        chosen = bits or (8 if narrow >= 6 else 16)
        shift = min(narrow, 6) if chosen == 8 else min(math.floor(math.log2(32_767 / max(largest, 2.0**-8))), _FRAME_SHIFT)
    if shift < 0 or largest * 2.0**shift > 2 ** (chosen - 1) - 1:
        raise InputError(f"data: expected inputs that fit into {chosen} bits, got values up to {largest:.4g}. Scale them down.")
    return InputForm(channels, shift, chosen)


def _quantised(layer: Layer, bits: int, input_scale: float, largest: int, last: bool) -> _Quantised:
    """Quantise a layer with as many fractional bits as its proof allows."""
    scale = scales(layer.synapses.weight, bits)
    if last and layer.neurons.kind == "li":
        scale = np.full_like(scale, short(scale.max() * input_scale) / input_scale)  # one for all classes, so that they compare
    weight = _rounded_weights(layer.synapses.weight, scale, bits)
    for shift in range(_SHIFT, -1, -1):
        made = _with_shift(layer, weight, scale * input_scale, bits, shift)
        if made is not None and bound(made, largest).proven:
            return _Quantised(made, float(scale[0] * input_scale * 2.0**-shift) if layer.neurons.kind == "li" else 1.0)
    raise InputError(f"{layer.path}: expected sums below 2^31, got larger ones, so the layer could overflow. Use fewer inputs or bits.")


def _with_shift(layer: Layer, weight: Ints, scale: Floats, bits: int, shift: int) -> IntegerLayer | None:
    """The layer with membranes of `shift` fractional bits; None if a constant does not fit into 32 bits."""
    neurons, unit = layer.neurons, scale * 2.0**-shift
    fires = np.isfinite(neurons.threshold)
    constants = {
        "bias": np.floor(layer.bias / unit + 0.5),
        "threshold": np.maximum(np.floor(np.where(fires, neurons.threshold, 1) / unit + 0.5), 1),
        "reset": np.zeros_like(unit) if neurons.reset is None else np.floor(neurons.reset / unit + 0.5),
        "start": np.floor(neurons.start / unit + 0.5),
        "jump": np.floor(neurons.jump / unit + 0.5),
        "decay": _fractions(neurons.decay),
        "slow_decay": _fractions(neurons.slow_decay),
        "coupling": np.floor(neurons.coupling * 2.0**15 + 0.5),
    }
    if max(np.abs(value).max() for value in constants.values()) >= LIMIT:
        return None
    made = {name: value.astype(np.int64) for name, value in constants.items()}
    form = _form(layer, shift)
    if layer.feedback is None:
        return IntegerLayer(form, weight, layer.synapses.delay, **made)
    own, own_shift = _feedback(layer.feedback, unit, bits)
    form = replace(form, feedback_shift=own_shift)
    return IntegerLayer(form, weight, layer.synapses.delay, **made, feedback_weight=own, feedback_delay=layer.feedback.delay)


def _form(layer: Layer, shift: int) -> LayerForm:
    outputs, inputs, count = layer.synapses.weight.shape
    own: dict[str, Any] = {}
    if layer.feedback is not None:
        own = {"feedback_synapses": layer.feedback.weight.shape[2], "feedback_taps": layer.feedback.taps}
    soft = layer.neurons.kind in ("lif", "cuba") and layer.neurons.reset is None
    _expect_taps(layer.path, layer.synapses.taps, own.get("feedback_taps", 1))
    return LayerForm(layer.path, layer.neurons.kind, inputs, outputs, count, layer.synapses.taps, soft, **own, shift=shift)


def _expect_taps(path: str, *taps: int) -> None:
    if max(taps) > 256:
        raise InputError(f"{path}: expected delays of at most 255 steps, got {max(taps) - 1}. Use longer steps.")


def _feedback(feedback: Synapses, unit: Floats, bits: int) -> tuple[Ints, int]:
    """Weights of the feedback, whose scale is a power of two above the unit of the membrane, as both meet in one sum."""
    largest = np.abs(feedback.weight).max((1, 2)) / unit / (2 ** (bits - 1) - 1)
    shift = max(math.ceil(math.log2(max(float(largest.max()), 1.0))), 0)
    return _rounded_weights(feedback.weight, unit * 2.0**shift, bits), shift


def _fractions(decay: Floats) -> Floats:
    """Decays times 2^15; one below 1 stays below."""
    whole: Floats = np.where(decay < 1, np.minimum(np.floor(decay * 2.0**15 + 0.5), 2**15 - 1), 2.0**15)
    return whole


def _rounded_weights(weight: Floats, scale: Floats, bits: int) -> Ints:
    most = 2 ** (bits - 1) - 1
    return np.clip(np.rint(weight / scale[:, None, None]), -most, most).astype(np.int64)
