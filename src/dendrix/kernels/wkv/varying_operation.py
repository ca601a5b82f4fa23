"""Torch operation for WKV with rates of decay that differ between steps, and its registration: numba on the CPU."""

from typing import Any

import torch
from torch import Tensor

from ...core import kernel
from ...layers.rwkv.wkv import WKVState
from ..gradients import differentiable_once
from .operation import reason_against, tile


@kernel("varying_wkv", "cpu", refuses=reason_against)
def run_varying_wkv(k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor, state: WKVState, valid: Tensor | None) -> tuple[Tensor, WKVState]:
    """`layers.rwkv.wkv` on float32 with rates [B, T, C]."""
    if valid is None:
        valid = torch.ones(k.shape[:2], dtype=torch.bool)
    y, end, _ = fused_varying_wkv(k, v, rate, bonus, torch.stack([state.aa, state.bb, state.pp.detach()]), valid)
    return y, WKVState(end[0].clone(), end[1].clone(), end[2].detach().clone())


@torch.library.custom_op("dendrix::fused_varying_wkv", mutates_args=(), device_types="cpu")
def fused_varying_wkv(k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor, start: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`fused_wkv` with rates [B, T, C] and bonus [C]."""
    from . import cpu

    return cpu.forward((k, v, rate), bonus.unsqueeze(0), start, valid, *tile(k.shape[2]))


@fused_varying_wkv.register_fake
def _(k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor, start: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    _, every = tile(k.shape[2])
    y = torch.empty_like(k, memory_format=torch.contiguous_format)
    return y, torch.empty_like(start), start.new_empty((k.shape[1] + every - 1) // every, *start.shape)


@torch.library.custom_op("dendrix::fused_varying_wkv_backward", mutates_args=(), device_types="cpu")
def fused_varying_wkv_backward(
    k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor, marks: Tensor, valid: Tensor, gy: Tensor, gend: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The gradients of k, of v, of the rates, of the bonus for each row [B, C], and of both first sums [2, B, C]."""
    from . import cpu

    (gk, gv, grate), gparams, gstart = cpu.backward((k, v, rate), bonus.unsqueeze(0), marks, valid, gy, gend, *tile(k.shape[2]))
    return gk, gv, grate, gparams.squeeze(0), gstart


@fused_varying_wkv_backward.register_fake
def _(
    k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor, marks: Tensor, valid: Tensor, gy: Tensor, gend: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    gk, gv, grate = (torch.empty_like(k, memory_format=torch.contiguous_format) for _ in range(3))
    return gk, gv, grate, gend.new_empty(gend.shape[1:]), torch.empty_like(gend)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    k, v, rate, bonus, _, valid = inputs
    ctx.save_for_backward(k, v, rate, bonus, output[2], valid)


def _differentiate(ctx: Any, gy: Tensor, gend: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    gk, gv, grate, gbonus, gstart = fused_varying_wkv_backward(*ctx.saved_tensors, gy, gend[:2].contiguous())
    return gk, gv, grate, gbonus.sum(0), torch.cat([gstart, torch.zeros_like(gstart[:1])]), None


fused_varying_wkv.register_autograd(_differentiate, setup_context=_keep)
differentiable_once("dendrix::fused_varying_wkv_backward")
