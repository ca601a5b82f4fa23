"""Local attention as one torch operation: every head reads its window in place, without copies of it."""

from typing import Any

import torch
from torch import Tensor

from ...core import kernel, too_small
from ..available import HAS_NUMBA
from ..gradients import differentiable_once


def _refuses(q: Tensor, keys: Tensor, values: Tensor, age: Tensor, gates: Tensor, scale: float) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if any(part.dtype != torch.float32 for part in (q, keys, values, age, gates)):
        return "an input is not float32"
    return too_small(values)


@kernel("local_attention", "cpu", refuses=_refuses)
def run_local_attention(q: Tensor, keys: Tensor, values: Tensor, age: Tensor, gates: Tensor, scale: float) -> Tensor:
    """The gated averages of `models.spikegpt.LocalAttention` on float32."""
    y: Tensor = fused_local_attention(*(part.contiguous() for part in (q, keys, values, age, gates)), scale)[0]
    return y


@torch.library.custom_op("dendrix::fused_local_attention", mutates_args=(), device_types="cpu")
def fused_local_attention(q: Tensor, keys: Tensor, values: Tensor, age: Tensor, gates: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Gated averages [B, T, C] and the weights of the tokens by age [B, H, W, T].

    The inputs are queries [B, T, H q], keys [B, T + W - 1, H q], values [B, T + W - 1, C], biases of the ages [H, W] and gates [B, T, H].
    """
    from . import cpu

    return cpu.forward(q, keys, values, age, gates, scale)


@fused_local_attention.register_fake
def _(q: Tensor, keys: Tensor, values: Tensor, age: Tensor, gates: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    batch, steps, heads = gates.shape
    return values.new_empty(batch, steps, values.shape[2]), values.new_empty(batch, heads, age.shape[1], steps)


@torch.library.custom_op("dendrix::fused_local_attention_backward", mutates_args=(), device_types="cpu")
def fused_local_attention_backward(
    q: Tensor, keys: Tensor, values: Tensor, gates: Tensor, weights: Tensor, gy: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The gradients of queries, keys and values, of the biases of the ages for each text [B, H, W], and of the gates."""
    from . import cpu

    return cpu.backward(q, keys, values, gates, weights, gy, scale)


@fused_local_attention_backward.register_fake
def _(
    q: Tensor, keys: Tensor, values: Tensor, gates: Tensor, weights: Tensor, gy: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    ages = q.new_empty(q.shape[0], gates.shape[2], weights.shape[2])
    return torch.empty_like(q), torch.empty_like(keys), torch.empty_like(values), ages, torch.empty_like(gates)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    q, keys, values, _, gates, ctx.scale = inputs
    ctx.set_materialize_grads(False)  # no zeros for the weights
    ctx.save_for_backward(q, keys, values, gates, output[1])


def _differentiate(ctx: Any, gy: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
    if gy is None:
        return (None,) * 6
    gq, gkeys, gvalues, grad_age, ggates = fused_local_attention_backward(*ctx.saved_tensors, gy.contiguous(), ctx.scale)
    return gq, gkeys, gvalues, grad_age.sum(0), ggates, None


fused_local_attention.register_autograd(_differentiate, setup_context=_keep)
differentiable_once("dendrix::fused_local_attention_backward")
