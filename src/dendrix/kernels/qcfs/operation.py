"""QCFS in one pass forward and one backward; only the input is saved for the gradient."""

from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core import kernel
from ..available import HAS_NUMBA
from ..gradients import differentiable_once
from ..numba.pool import in_parts
from . import loops

_BLOCK = 1 << 15
"""Elements per block of the backward pass, which fits the cache; blocks are summed in an order independent of the threads."""


def _refuses(x: Tensor, threshold: Tensor, levels: int, mask: str) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if x.dtype != torch.float32 or threshold.dtype != x.dtype:
        return f"x and the threshold are {x.dtype} and {threshold.dtype}; both must be float32"
    return None


@kernel("qcfs", "cpu", refuses=_refuses)
def fused_qcfs(x: Tensor, threshold: Tensor, levels: int, mask: str) -> Tensor:
    """`layers.activations.qcfs.qcfs`."""
    y: Tensor = qcfs(x, threshold, levels, mask)
    return y


@cache
def _compiled(by_level: bool) -> tuple[Any, Any, Any]:
    from ..numba.specialise import specialise

    constants: dict[str, Any] = dict(half=np.float32(0.5), zero=np.float32(0), by_level=by_level)
    forward, backward = (specialise(loop, **constants) for loop in (loops.forward, loops.input_gradient))
    return forward, backward, specialise(loops.threshold_gradient, any_order=True, **constants)


def _dense(x: Tensor) -> Tensor:
    """x itself if it is contiguous or channels-last, otherwise a contiguous copy."""
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return x.detach() if last else x.detach().contiguous()


def _entries(x: Tensor) -> NDArray[np.float32]:
    """The elements of a dense tensor in memory order."""
    entries: NDArray[np.float32] = x.as_strided((x.numel(),), (1,)).numpy()
    return entries


def _numbers(threshold: Tensor, levels: int) -> tuple[Any, Any, Any, Any]:
    """Levels per unit of input, input per level, the threshold and the levels, rounded as torch rounds them."""
    scale, step = levels / threshold, threshold / levels
    return np.float32(scale.item()), np.float32(step.item()), np.float32(threshold.item()), np.float32(levels)


@torch.library.custom_op("dendrix::qcfs", mutates_args=())
def qcfs(x: Tensor, threshold: Tensor, levels: int, mask: str) -> Tensor:
    """The activation of x [...]."""
    x = _dense(x)
    y = torch.empty_like(x)
    scale, step, _, top = _numbers(threshold, levels)
    in_parts(partial(_compiled(mask == "level")[0], _entries(x), scale, step, top, _entries(y)), x.numel())
    return y


@qcfs.register_fake
def _(x: Tensor, threshold: Tensor, levels: int, mask: str) -> Tensor:
    return torch.empty_like(_dense(x))


@torch.library.custom_op("dendrix::qcfs_backward", mutates_args=())
def qcfs_backward(grad: Tensor, x: Tensor, threshold: Tensor, levels: int, mask: str) -> tuple[Tensor, Tensor]:
    """Gradients of x and of the threshold."""
    x = _dense(x)
    dx = torch.empty_like(x)
    grad = torch.empty_like(x).copy_(grad) if grad.stride() != x.stride() else grad
    scale, _, theta, top = _numbers(threshold, levels)
    _, of_input, of_threshold = _compiled(mask == "level")
    sums = np.empty((-(-x.numel() // _BLOCK), 2))

    def blocks(first: int, last: int) -> None:
        for block in range(first, last):
            start, end = block * _BLOCK, min((block + 1) * _BLOCK, x.numel())
            of_input(_entries(x), _entries(grad), scale, theta, top, _entries(dx), start, end)
            sums[block] = of_threshold(_entries(x), _entries(grad), _entries(dx), scale, top, start, end)

    in_parts(blocks, len(sums))
    sent, passed = sums.sum(0)
    return dx, threshold.new_tensor(sent / levels - passed / theta)


@qcfs_backward.register_fake
def _(grad: Tensor, x: Tensor, threshold: Tensor, levels: int, mask: str) -> tuple[Tensor, Tensor]:
    return torch.empty_like(_dense(x)), torch.empty_like(threshold)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, threshold, ctx.levels, ctx.mask = inputs
    ctx.save_for_backward(x, threshold)


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return *qcfs_backward(grad, *ctx.saved_tensors, ctx.levels, ctx.mask), None, None


qcfs.register_autograd(_differentiate, setup_context=_keep)
differentiable_once("dendrix::qcfs_backward")
