"""The Gaussian kernel of a delay layer, built in one pass; only weight, delay and width are saved for the gradient."""

from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core import kernel
from ...core.numbers import GAUSS_LEAST, GAUSS_NARROWEST
from ..available import HAS_NUMBA
from ..gradients import differentiable_once
from ..numba import scalars
from ..numba.arrays import array, borrowed
from ..numba.pool import in_parts
from . import loops


def _refuses(weight: Tensor, delay: Tensor, width: Tensor, taps: int, interpolation: str) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if interpolation != "gauss":
        return f"no kernel for interpolation '{interpolation}'"
    if weight.dtype not in (torch.float32, torch.float64) or delay.dtype != weight.dtype:
        return f"weight and delay are {weight.dtype} and {delay.dtype}; both must be float32 or float64"
    if delay.shape != weight.shape or width.dim() > 0:
        return "not one delay per synapse and one width for all"
    return None


@kernel("delay_kernel", "cpu", refuses=_refuses)
def build_kernel(weight: Tensor, delay: Tensor, width: Tensor, taps: int, interpolation: str) -> Tensor:
    """`layers.delay.linear.delay_kernel` with interpolation "gauss"."""
    built: Tensor = gauss_kernel(weight, delay, width.to(weight.dtype), taps)
    return built


@cache
def _compiled(dtype: torch.dtype) -> tuple[Any, Any]:
    from ..numba.specialise import specialise

    real: Any = np.float32 if dtype == torch.float32 else np.float64
    exponential = specialise(scalars.exp_of_negative) if dtype == torch.float32 else np.exp
    constants = dict(half=real(0.5), offset=real(GAUSS_NARROWEST), least=real(GAUSS_LEAST), one=real(1))
    both = (loops.build, loops.build_backward)
    forward, backward = (specialise(loop, any_order=True, exponential=exponential, **constants) for loop in both)
    return forward, backward


def _inputs(weight: Tensor, delay: Tensor, width: Tensor, taps: int) -> list[Any]:
    w = borrowed(weight)
    return [w, borrowed(delay), w.dtype.type(width.item()), np.arange(taps, dtype=w.dtype)]


@torch.library.custom_op("dendrix::gauss_kernel", mutates_args=())
def gauss_kernel(weight: Tensor, delay: Tensor, width: Tensor, taps: int) -> Tensor:
    """The kernel [L, C, H] from weight and delay [H, C, K] and one width."""
    outputs, inputs, _ = weight.shape
    built = weight.new_empty(taps, inputs, outputs)
    forward, _ = _compiled(weight.dtype)
    in_parts(partial(forward, *_inputs(weight, delay, width, taps), array(built)), inputs)
    return built


@gauss_kernel.register_fake
def _(weight: Tensor, delay: Tensor, width: Tensor, taps: int) -> Tensor:
    return weight.new_empty(taps, weight.shape[1], weight.shape[0])


@torch.library.custom_op("dendrix::gauss_kernel_backward", mutates_args=())
def gauss_kernel_backward(grad: Tensor, weight: Tensor, delay: Tensor, width: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of weight, delay and width."""
    grad_weight, grad_delay = (torch.empty_like(weight, memory_format=torch.contiguous_format) for _ in range(2))
    each = weight.new_zeros(weight.shape[1])
    _, backward = _compiled(weight.dtype)
    inputs = _inputs(weight, delay, width, len(grad))
    in_parts(partial(backward, *inputs, *map(array, (grad, grad_weight, grad_delay, each))), len(each))
    return grad_weight, grad_delay, each.sum()


@gauss_kernel_backward.register_fake
def _(grad: Tensor, weight: Tensor, delay: Tensor, width: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    grad_weight, grad_delay = (torch.empty_like(weight, memory_format=torch.contiguous_format) for _ in range(2))
    return grad_weight, grad_delay, torch.empty_like(width)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:3])


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return *gauss_kernel_backward(grad, *ctx.saved_tensors), None


gauss_kernel.register_autograd(_differentiate, setup_context=_keep)
differentiable_once("dendrix::gauss_kernel_backward")
