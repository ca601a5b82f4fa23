"""Training convolution of a delay layer, computed by the cheapest algorithm for its shapes and density."""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core import kernel, record_choice
from ..available import HAS_NUMBA
from ..gradients import differentiable_once
from ..numba.arrays import array
from ..numba.pool import in_parts
from . import cost, loops, spectral
from .spectral import Window

_SMALLEST = 500_000
"""Multiply-adds below which torch's own convolution is faster than the dispatch of a custom operation."""


def _refuses(x: Tensor, kernel: Tensor, past: int, density: float | None) -> str | None:
    if x.dtype not in (torch.float32, torch.float64) or kernel.dtype != x.dtype:
        return f"x and the kernel are {x.dtype} and {kernel.dtype}; both must be float32 or float64"
    work = x.shape[0] * (x.shape[1] - past) * kernel.numel()
    return f"{work} multiply-adds are fewer than {_SMALLEST}" if work < _SMALLEST else None


@kernel("delay_conv", "cpu", refuses=_refuses)
def run(x: Tensor, kernel: Tensor, past: int, density: float | None) -> Tensor:
    """`layers.delay.linear.delay_conv`, with the density of x declared or measured."""
    if not torch.compiler.is_compiling():  # a traced graph may not depend on the values of x: there the operation measures
        density = density_of(x, density)
    y: Tensor = convolve(x, kernel, past, density)
    return y


def choose(x: Tensor, kernel: Tensor, past: int, density: float | None, need_x: bool) -> tuple[str, Window]:
    """Return the cheapest algorithm, and the windows of "spectral". `need_x`: the gradient of x, which is dense, is needed."""
    taps, inputs, outputs = kernel.shape
    shape = cost.Shape(x.shape[0], x.shape[1] - past, inputs, outputs, taps)
    by, dense, window = cost.dense(shape)
    if HAS_NUMBA and not need_x and cost.events(shape, density_of(x, density)) < dense:
        by = "events"
    return by, window


def density_of(x: Tensor, declared: float | None) -> float:
    """Return the fraction of nonzero values of x, declared or measured."""
    return int(x.count_nonzero()) / x.numel() if declared is None else declared


@cache
def _compiled() -> tuple[Any, Any]:
    from ..numba.specialise import specialise

    # Gradients sum thousands of events, outputs a few: the sums in pairs as written are more exact, and a little slower.
    add, add_in_pairs = specialise(loops.add_rows, any_order=True), specialise(loops.add_rows, contract=True)
    return specialise(loops.follow, add=add), specialise(loops.follow_backward, add=add_in_pairs)


def _follow(x: Tensor, kernel: Tensor, past: int) -> Tensor:
    taps, inputs, outputs = kernel.shape
    by_input = kernel.transpose(0, 1).reshape(-1)
    y = x.new_empty(x.shape[0], x.shape[1] - past, outputs)
    arrays = array(x), array(by_input), past, array(y)

    def work(first: int, last: int) -> None:
        line, value = (array(x.new_empty(count)) for count in ((x.shape[1] - 1 + taps) * outputs, inputs))
        _compiled()[0](*arrays, line, np.empty(inputs, np.uintp), value, first, last)

    in_parts(work, len(y))
    return y


def _follow_backward(grad: Tensor, x: Tensor, taps: int, past: int) -> Tensor:
    inputs, outputs = x.shape[2], grad.shape[2]
    by_input = x.new_zeros(inputs, taps * outputs)
    rows, span = loops.group(x.shape[1], outputs, taps * outputs)
    arrays = array(x), array(grad), past, array(by_input), rows, span

    def work(first: int, last: int) -> None:
        line, value, sums = x.new_zeros(rows * span), x.new_empty(rows * x.shape[1]), x.new_empty(taps * outputs)
        _compiled()[1](*arrays, array(line), np.empty(len(value), np.uintp), array(value), array(sums), first, last)

    in_parts(work, inputs)
    return by_input.view(inputs, taps, outputs).transpose(0, 1).contiguous()


def _overlap(lag: int, past: int, steps: int) -> tuple[slice, slice]:
    """The steps of x and of y that a lag connects."""
    first = max(0, lag - past)
    return slice(past + first - lag, past + steps - lag), slice(first, steps)


def _shifted(x: Tensor, kernel: Tensor, past: int) -> Tensor:
    steps = x.shape[1] - past
    y = x.new_zeros(x.shape[0], steps, kernel.shape[2])
    for lag, weight in enumerate(kernel[: past + steps]):
        source, target = _overlap(lag, past, steps)
        y[:, target] += x[:, source] @ weight
    return y


def _shifted_backward(grad: Tensor, x: Tensor, kernel: Tensor, past: int, need_x: bool) -> tuple[Tensor | None, Tensor]:
    steps = grad.shape[1]
    grad_x = torch.zeros_like(x) if need_x else None
    grad_kernel = torch.zeros_like(kernel)
    for lag, weight in enumerate(kernel[: past + steps]):
        source, target = _overlap(lag, past, steps)
        part = grad[:, target]
        grad_kernel[lag] = x[:, source].flatten(0, 1).t() @ part.flatten(0, 1)
        if grad_x is not None:
            grad_x[:, source] += part @ weight.t()
    return grad_x, grad_kernel


@torch.library.custom_op("dendrix::delay_conv", mutates_args=())
def convolve(x: Tensor, kernel: Tensor, past: int, density: float | None) -> Tensor:
    """y [B, T, H] from x [B, past + T, C] and kernel [L, C, H]; the density of x changes the algorithm only. None: measured."""
    by, window = choose(x, kernel, past, density, need_x=False)
    record_choice("delay_conv forward", "cpu", by)
    kernel = kernel.contiguous()
    if by == "events":
        return _follow(x, kernel, past)
    return _shifted(x, kernel, past) if by == "shifted" else spectral.forward(x, kernel, past, window)


@convolve.register_fake
def _(x: Tensor, kernel: Tensor, past: int, density: float | None) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1] - past, kernel.shape[2])


@torch.library.custom_op("dendrix::delay_conv_backward", mutates_args=())
def convolve_backward(grad: Tensor, x: Tensor, kernel: Tensor, past: int, density: float | None, need_x: bool) -> tuple[Tensor, Tensor]:
    """Gradients of x (empty unless `need_x`) and of the kernel."""
    by, window = choose(x, kernel, past, density, need_x)
    record_choice("delay_conv backward", "cpu", by)
    kernel = kernel.contiguous()
    grad_x = None
    if by == "events":
        grad_kernel = _follow_backward(grad, x, len(kernel), past)
    elif by == "shifted":
        grad_x, grad_kernel = _shifted_backward(grad, x, kernel, past, need_x)
    else:
        grad_x, grad_kernel = spectral.backward(grad, x, kernel, past, window, need_x)
    return x.new_empty(0) if grad_x is None else grad_x, grad_kernel


@convolve_backward.register_fake
def _(grad: Tensor, x: Tensor, kernel: Tensor, past: int, density: float | None, need_x: bool) -> tuple[Tensor, Tensor]:
    contiguous = torch.contiguous_format
    grad_x = torch.empty_like(x, memory_format=contiguous) if need_x else x.new_empty(0)
    return grad_x, torch.empty_like(kernel, memory_format=contiguous)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, kernel, ctx.past, ctx.density = inputs
    ctx.save_for_backward(x, kernel)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    need_x = ctx.needs_input_grad[0]
    grad_x, grad_kernel = convolve_backward(grad, *ctx.saved_tensors, ctx.past, ctx.density, need_x)
    return grad_x if need_x else None, grad_kernel, None, None


convolve.register_autograd(_differentiate, setup_context=_keep)
differentiable_once("dendrix::delay_conv_backward")
