"""The mixtures of token shift as one torch operation: one pass over memory forward and one backward."""

from typing import Any

import torch
from torch import Tensor

from ...core import kernel, too_small
from ..available import HAS_NUMBA
from ..gradients import differentiable_once

_ROWS = 64
"""Rows per part. Each part sums the gradients of its shares separately, so results do not depend on the number of threads."""


def _refuses(x: Tensor, earlier: Tensor, shares: tuple[Tensor, ...]) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if any(part.dtype != torch.float32 for part in (x, earlier, *shares)):
        return "an input is not float32"
    return too_small(x)


@kernel("token_mix", "cpu", refuses=_refuses)
def run_token_mix(x: Tensor, earlier: Tensor, shares: tuple[Tensor, ...]) -> list[Tensor]:
    """`layers.token_mix` on float32."""
    mixed: list[Tensor] = fused_token_mix(x, earlier, torch.stack(shares))
    return mixed


@torch.library.custom_op("dendrix::fused_token_mix", mutates_args=(), device_types="cpu")
def fused_token_mix(x: Tensor, earlier: Tensor, shares: Tensor) -> list[Tensor]:
    """x and earlier [B, T, C] mixed by each row of the shares [m, C]."""
    from . import cpu

    return cpu.forward(x, earlier, shares, _ROWS)


@fused_token_mix.register_fake
def _(x: Tensor, earlier: Tensor, shares: Tensor) -> list[Tensor]:
    return [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(shares.shape[0])]


@torch.library.custom_op("dendrix::fused_token_mix_backward", mutates_args=(), device_types="cpu")
def fused_token_mix_backward(x: Tensor, earlier: Tensor, shares: Tensor, upstream: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, of earlier, and of the shares, one for every part of the rows [parts, m, C]."""
    from . import cpu

    return cpu.backward(x, earlier, shares, upstream, _ROWS)


@fused_token_mix_backward.register_fake
def _(x: Tensor, earlier: Tensor, shares: Tensor, upstream: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    gx, gearlier = (torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(2))
    return gx, gearlier, shares.new_empty((x.shape[0] * x.shape[1] + _ROWS - 1) // _ROWS, *shares.shape)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: list[Tensor]) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, upstream: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    gx, gearlier, gshares = fused_token_mix_backward(*ctx.saved_tensors, upstream)
    return gx, gearlier, gshares.sum(0)


fused_token_mix.register_autograd(_differentiate, setup_context=_keep)
differentiable_once("dendrix::fused_token_mix_backward")
