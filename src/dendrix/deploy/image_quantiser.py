"""Quantisation of converted image networks: scales of weights, and constants in the units of the membranes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..core import expect_count
from ..errors import InputError
from ..lowering.stage_forms import FloatEdge, Floats, FloatStage
from ..lowering.stages import lower_images
from ..models import Converted
from .bounds import LIMIT
from .image_bounds import bound_images
from .image_layout import Stage, StageForm
from .image_network import IntegerImageNetwork
from .integer_layer import Ints
from .scales import scales, short

_SHIFT = 8
"""Largest number of fractional bits that a membrane has below its smallest weight."""
_WIDEST = 20
"""Shifts that are tried for a second edge."""
_LONGEST = 64
"""Steps within which nothing may overflow, if an image is not presented for longer."""


def quantise_images(network: Converted, weights: int = 8) -> IntegerImageNetwork:
    """Quantise a converted image network to integers. Images are bytes, so that no data are needed to choose the scale of the input.

    Weights have one scale per channel, chosen so that thresholds are whole numbers of it, and membranes 32 bits. BatchNorm, the
    normalisation of the image, averages and the amplitudes of spikes are folded in.

    Args:
        network: convolutions, linear layers, average pools, sums and IF or SignedIF neurons.
        weights: bits of a weight, 2 to 8.
    Returns:
        the integer network, in evaluation mode.
    Raises:
        InputError: a part of the network has no integer form, a weight is not finite, or a sum could overflow.
    """
    expect_count(weights, "[2, 8]", "weights")
    lowered = lower_images(network.network.prefix, network.network.body, network.network.image)
    longest = max(network.config.steps, _LONGEST)
    found: list[Stage] = []
    unit = 1.0
    for stage in lowered.stages:
        made, unit = _quantised(stage, weights, found, lowered.centre, longest)
        found.append(made)
    settings = dict(image=lowered.image, centre=lowered.centre, unit=unit, steps=network.config.steps, longest=longest)
    result = IntegerImageNetwork.of(found, weights, **settings)
    result.eval()
    return result


def _quantised(stage: FloatStage, bits: int, before: Sequence[Stage], centre: Sequence[int], steps: int) -> tuple[Stage, float]:
    """Quantise a stage with as many fractional bits as its proof allows; returns it and the unit of its outputs."""
    if stage.kind == "pool":
        made = Stage(StageForm(stage.path, "pool", stage.shape, (stage.edges[0].form,)), (np.zeros(0, np.int64),))
        if not bound_images([*before, made], centre, steps)[-1].proven:
            raise InputError(f"{stage.path}: expected sums below 2^15, got a pool with larger ones. Pool less at a time.")
        return made, 1.0
    if not all(np.isfinite(part).all() for part in (stage.bias, stage.threshold, *(edge.weight for edge in stage.edges))):
        raise InputError(f"{stage.path}: expected finite weights, got NaN or infinity. Train with a lower rate.")
    for shift in range(_SHIFT, -1, -1):
        unit = _unit(stage, bits, shift)
        possible = _with_unit(stage, unit, bits, shift)
        if possible is not None and bound_images([*before, possible], centre, steps)[-1].proven:
            return possible, float(unit[0])
    raise InputError(f"{stage.path}: expected sums below 2^31, got larger ones, so the stage could overflow. Use fewer steps or bits.")


def _unit(stage: FloatStage, bits: int, shift: int) -> Floats:
    """Unit of the membrane per channel, so that the weights of the first edge have their best scale, 2^shift units."""
    scale = scales(_by_output(stage.edges[0]), bits)
    if stage.kind == "out":
        return np.full_like(scale, short(float(scale.max())) * 2.0**-shift)  # one for all classes, so that they compare
    unit = scale * 2.0**-shift
    return np.asarray(stage.threshold / np.maximum(np.floor(stage.threshold / unit), 1))


def _by_output(edge: FloatEdge) -> Floats:
    """Weights of an edge, [out, weights of a channel]."""
    if edge.form.kind == "gain":
        return edge.weight[:, None]
    groups, out = edge.form.groups, edge.weight.shape[-1]
    return edge.weight.reshape(groups, -1, out).transpose(0, 2, 1).reshape(groups * out, -1)


def _with_unit(stage: FloatStage, unit: Floats, bits: int, shift: int) -> Stage | None:
    """The stage with membranes in this unit; None if a constant does not fit into 32 bits."""
    constants = [np.floor(part / unit + 0.5) for part in (stage.bias, stage.start)]
    threshold = np.maximum(np.floor(stage.threshold / unit + 0.5), 1) if stage.kind != "out" else np.zeros_like(unit)
    edges = [_edge(edge, unit, bits, shift if number == 0 else None) for number, edge in enumerate(stage.edges)]
    largest = [np.abs(part).max() for part in (*constants, threshold, *(weight for _, weight in edges))]
    if max(largest) >= LIMIT:
        return None
    bias, start = (part.astype(np.int64) for part in constants)
    forms = tuple(replace(edge.form, shift=own) for edge, (own, _) in zip(stage.edges, edges, strict=True))
    form = StageForm(stage.path, stage.kind, stage.shape, forms, stage.limit)
    return Stage(form, tuple(weight for _, weight in edges), bias, threshold.astype(np.int64), start)


def _edge(edge: FloatEdge, unit: Floats, bits: int, shift: int | None) -> tuple[int, Ints]:
    """Shift and weights of an edge; without a given shift, the one of least squared error."""
    if edge.form.kind == "gain":
        return 0, np.floor(edge.weight / unit + 0.5).astype(np.int64)
    groups, inputs = edge.form.groups, len(edge.weight)
    relative = edge.weight / np.repeat(unit.reshape(groups, 1, -1), inputs // groups, 1).reshape(inputs, 1, 1, -1)
    most = 2 ** (bits - 1) - 1
    tried = [(one, np.clip(np.rint(relative * 2.0**-one), -most, most)) for one in (range(_WIDEST) if shift is None else [shift])]
    best, weight = min(tried, key=lambda pair: float(((pair[1] * 2.0 ** pair[0] - relative) ** 2).sum()))
    return best, weight.astype(np.int64)
