"""Evaluation with integer delays, one lag per synapse: event by event where the input is sparse, else by adding shifted inputs.

A history of spikes in the bits of an integer, the usual alternative, was slower and does not support counts.
"""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core import kernel, record_choice
from ..available import HAS_NUMBA
from ..numba.arrays import array, borrowed
from ..numba.pool import in_parts
from . import cost, integer_loops

_SMALLEST = 20_000
"""Additions, or elements of the dense kernel, below which the reference is faster than the dispatch of a custom operation."""

_TILE = 128
"""Outputs per tile."""

_BLOCKS = 4
"""Blocks of outputs per group of rows, where there are fewer groups than threads take parts."""


def _refuses(x: Tensor, weight: Tensor, delay: Tensor, taps: int, past: int, density: float | None) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if x.dtype not in (torch.float32, torch.float64) or weight.dtype != x.dtype:
        return f"x and weight are {x.dtype} and {weight.dtype}; both must be float32 or float64"
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        return "gradients are required"
    work = max(x.shape[0] * (x.shape[1] - past), taps) * weight.numel()
    return f"{work} additions are fewer than {_SMALLEST}" if work < _SMALLEST else None


@kernel("delay_integer", "cpu", refuses=_refuses)
def run(x: Tensor, weight: Tensor, delay: Tensor, taps: int, past: int, density: float | None) -> Tensor:
    """y[b, t, o] = sum_{i, k} weight[o, i, k] * x[b, past + t - delay[o, i, k], i]: x [B, past + T, C] -> [B, T, H]."""
    y: Tensor = integer_delays(x, weight, delay, taps, past, density)
    return y


def choose(x: Tensor, weight: Tensor, taps: int, past: int, density: float | None) -> str:
    """The cheaper of "events" and "sliding"."""
    outputs, inputs, count = weight.shape
    shape = cost.Shape(x.shape[0], x.shape[1] - past, inputs * count, outputs, taps)
    if density is None:
        density = _compiled()[2](array(x).reshape(-1)) / x.numel()
    return "events" if cost.scattered(shape, past, density) < cost.sliding(shape) else "sliding"


@cache
def _compiled() -> tuple[Any, Any, Any]:
    from ..numba.specialise import specialise

    fast, counting = specialise(integer_loops.slide, any_order=True), specialise(integer_loops.count, any_order=True)
    return specialise(integer_loops.scatter), fast, counting


@torch.library.custom_op("dendrix::integer_delays", mutates_args=())
def integer_delays(x: Tensor, weight: Tensor, delay: Tensor, taps: int, past: int, density: float | None) -> Tensor:
    """See `run`; the density of x changes the algorithm only. None: measured."""
    by = choose(x, weight, taps, past, density)
    record_choice("delay_integer", "cpu", by)
    outputs, inputs, _ = weight.shape
    steps = x.shape[1] - past
    y = x.new_empty(x.shape[0], steps, outputs)
    scatter, slide, _ = _compiled()
    if by == "events":
        size = min(outputs, _TILE)
        # At few events, every pass over all synapses costs as much as the events: the layer passes int32, and the sum is in place.
        place = (delay.int() * size).add_((torch.arange(outputs, dtype=torch.int32) % size).view(-1, 1, 1)).transpose(0, 1).flatten(1)
        loop, weights = scatter, weight.transpose(0, 1).flatten(1)
        sizes: tuple[int, ...] = (size,)
        scratch: tuple[tuple[int, ...], ...] = ()
        parts = len(y) * -(-outputs // size)
    else:
        fold = cost.fold(len(x), steps)
        room = integer_loops.padded(steps * fold)
        span = (taps - 1) * fold + room
        begin = torch.arange(inputs, dtype=torch.int32).mul_(span).add_((taps - 1) * fold).view(1, -1, 1)
        place = (delay.int() * -fold).add_(begin).flatten(1)
        loop, weights = slide, weight.flatten(1)
        groups = -(-len(y) // fold)
        blocks = min(outputs, _BLOCKS) if groups < _BLOCKS else 1
        sizes, scratch = (fold, room, blocks), ((inputs * span,), (outputs, room))
        parts = groups * blocks
    # Unsigned, so that numba does not test for negative indices.
    places = array(place).view(np.uint32)
    arrays = array(x), borrowed(weights), places, taps, past, *sizes, array(y)
    in_parts(lambda first, last: loop(*arrays, *(array(x.new_zeros(shape)) for shape in scratch), first, last), parts)
    return y


@integer_delays.register_fake
def _(x: Tensor, weight: Tensor, delay: Tensor, taps: int, past: int, density: float | None) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1] - past, weight.shape[0])
