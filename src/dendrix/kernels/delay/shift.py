"""Depthwise convolution for axonal and dendritic delays, forward and backward."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from ...core import kernel
from ..available import HAS_NUMBA
from ..gradients import differentiable_once
from ..numba.arrays import array
from ..numba.pool import in_parts
from . import shift_loops

_SMALLEST = 100_000
"""Multiply-adds below which torch's own convolution is faster than the dispatch of a custom operation."""


def _refuses(x: Tensor, taps: Tensor, past: int) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if x.dtype not in (torch.float32, torch.float64) or taps.dtype != x.dtype:
        return f"x and the taps are {x.dtype} and {taps.dtype}; both must be float32 or float64"
    work = x.shape[0] * (x.shape[1] - past) * taps.numel()
    return f"{work} multiply-adds are fewer than {_SMALLEST}" if work < _SMALLEST else None


@kernel("delay_shift", "cpu", refuses=_refuses)
def run(x: Tensor, taps: Tensor, past: int) -> Tensor:
    """`layers.delay.linear.delay_shift`."""
    count = taps.shape[1]
    each = x if count == 1 else x.repeat_interleave(count, 2)
    y: Tensor = shift(each, taps.flatten(0, 1).t(), past)
    return y.view(*y.shape[:2], -1, count)


@cache
def _compiled() -> tuple[Any, Any]:
    from ..numba.specialise import specialise

    names = ("square", "grad_square", "several_lags", "one_lag", "several_steps", "one_step")
    parts = {name: specialise(getattr(shift_loops, name), any_order=True, inlined=True) for name in names}
    forward, backward = (specialise(loop, any_order=True, **parts) for loop in (shift_loops.shift, shift_loops.shift_backward))
    return forward, backward


def _shifted(x: Tensor, taps: Tensor, lead: int, steps: int) -> Tensor:
    y = x.new_empty(len(x), steps, x.shape[2])
    arrays = array(x), array(taps), lead, array(y)
    in_parts(lambda first, last: _compiled()[0](*arrays, *_memory(x, len(taps), steps), first, last), len(y))
    return y


def _memory(x: Tensor, taps: int, steps: int) -> tuple[Any, Any]:
    """Memory of one thread in the loops. It comes from torch because that begins cache lines: vectors that cross lines take longer."""
    width = shift_loops.tile(x.shape[2])
    return array(x.new_empty(taps, width)), array(x.new_zeros(steps + taps - 1, width))


@torch.library.custom_op("dendrix::delay_shift", mutates_args=())
def shift(x: Tensor, taps: Tensor, past: int) -> Tensor:
    """y [B, T, C] from x [B, past + T, C] and taps [L, C]."""
    return _shifted(x, taps, len(taps) - 1 - past, x.shape[1] - past)


@shift.register_fake
def _(x: Tensor, taps: Tensor, past: int) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1] - past, x.shape[2])


@torch.library.custom_op("dendrix::delay_shift_backward", mutates_args=())
def shift_backward(grad: Tensor, x: Tensor, taps: Tensor, past: int, need_x: bool) -> tuple[Tensor, Tensor]:
    """Gradients of x (empty unless `need_x`) and of the taps."""
    grad_x = _shifted(grad, taps.flip(0), past, x.shape[1]) if need_x else x.new_empty(0)  # the same sum, backwards in time
    grad_taps = torch.empty_like(taps, memory_format=torch.contiguous_format)
    arrays = array(x), array(grad), len(taps) - 1 - past, array(grad_taps)
    in_parts(lambda first, last: _compiled()[1](*arrays, *_memory(x, len(taps), grad.shape[1]), first, last), x.shape[2])
    return grad_x, grad_taps


@shift_backward.register_fake
def _(grad: Tensor, x: Tensor, taps: Tensor, past: int, need_x: bool) -> tuple[Tensor, Tensor]:
    contiguous = torch.contiguous_format
    grad_x = torch.empty_like(x, memory_format=contiguous) if need_x else x.new_empty(0)
    return grad_x, torch.empty_like(taps, memory_format=contiguous)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, taps, ctx.past = inputs
    ctx.save_for_backward(x, taps)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    need_x = ctx.needs_input_grad[0]
    grad_x, grad_taps = shift_backward(grad, *ctx.saved_tensors, ctx.past, need_x)
    return grad_x if need_x else None, grad_taps, None


shift.register_autograd(_differentiate, setup_context=_keep)
differentiable_once("dendrix::delay_shift_backward")
