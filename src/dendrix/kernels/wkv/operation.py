"""Torch operation for WKV, and its registration: numba on the CPU, Triton on CUDA."""

from typing import Any

import torch
from torch import Tensor

from ...core import kernel, too_small
from ...layers.rwkv.wkv import WKVState
from ..available import HAS_NUMBA, HAS_TRITON
from ..gradients import differentiable_once

_FEWEST_STEPS = 2
"""Steps below which plain torch is as fast."""


def reason_against(k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor, state: WKVState, valid: Tensor | None) -> str | None:
    """Why the kernel does not take these inputs."""
    if any(x.dtype != torch.float32 for x in (k, v, rate, bonus, *state)):
        return "an input is float64"
    if k.is_cuda:
        return None if HAS_TRITON else "triton is not installed"
    if not HAS_NUMBA:
        return "numba is not installed"
    if k.shape[1] < _FEWEST_STEPS:
        return f"{k.shape[1]} steps are fewer than {_FEWEST_STEPS}"
    return too_small(k)


@kernel("wkv", "cuda", refuses=reason_against)
@kernel("wkv", "cpu", refuses=reason_against)
def run_wkv(k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor, state: WKVState, valid: Tensor | None) -> tuple[Tensor, WKVState]:
    """`layers.rwkv.wkv` on float32."""
    if valid is None:
        valid = torch.ones(k.shape[:2], dtype=torch.bool, device=k.device)
    y, end, _ = fused_wkv(k, v, torch.stack([rate, bonus]), torch.stack([state.aa, state.bb, state.pp.detach()]), valid)
    return y, WKVState(end[0].clone(), end[1].clone(), end[2].detach().clone())


def tile(columns: int) -> tuple[int, int]:
    """Channels per tile and steps per chunk, so that the sums of a chunk fit the cache."""
    return min(columns, 256), 64


@torch.library.custom_op("dendrix::fused_wkv", mutates_args=(), device_types="cpu")
def fused_wkv(k: Tensor, v: Tensor, params: Tensor, start: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """WKV of k and v [B, T, C] with rate and bonus [2, C] from sums [3, B, C]: y, the last sums, and those before each chunk."""
    from . import cpu

    return cpu.forward((k, v), params, start, valid, *tile(k.shape[2]))


@fused_wkv.register_fake
def _(k: Tensor, v: Tensor, params: Tensor, start: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    _, every = tile(k.shape[2])
    y = torch.empty_like(k, memory_format=torch.contiguous_format)
    return y, torch.empty_like(start), start.new_empty((k.shape[1] + every - 1) // every, *start.shape)


@torch.library.custom_op("dendrix::fused_wkv_backward", mutates_args=(), device_types="cpu")
def fused_wkv_backward(
    k: Tensor, v: Tensor, params: Tensor, marks: Tensor, valid: Tensor, gy: Tensor, gend: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of k, of v, of the parameters, one per row [2, B, C], and of both first sums [2, B, C]."""
    from . import cpu

    (gk, gv), gparams, gstart = cpu.backward((k, v), params, marks, valid, gy, gend, *tile(k.shape[2]))
    return gk, gv, gparams, gstart


@fused_wkv_backward.register_fake
def _(
    k: Tensor, v: Tensor, params: Tensor, marks: Tensor, valid: Tensor, gy: Tensor, gend: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    gk, gv = (torch.empty_like(k, memory_format=torch.contiguous_format) for _ in range(2))
    return gk, gv, gend.new_empty(2, *gend.shape[1:]), torch.empty_like(gend)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    k, v, params, _, valid = inputs
    ctx.save_for_backward(k, v, params, output[2], valid)


def _differentiate(ctx: Any, gy: Tensor, gend: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    k, v, params, marks, valid = ctx.saved_tensors
    gk, gv, gparams, gstart = fused_wkv_backward(k, v, params, marks, valid, gy, gend[:2].contiguous())
    return gk, gv, gparams.sum(1), torch.cat([gstart, torch.zeros_like(gstart[:1])]), None


fused_wkv.register_autograd(_differentiate, setup_context=_keep)
differentiable_once("dendrix::fused_wkv_backward")


@fused_wkv.register_kernel("cuda")
def forward_on_cuda(k: Tensor, v: Tensor, params: Tensor, start: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    from . import cuda

    _, every = tile(k.shape[2])
    k, v, params, start, valid = (tensor.contiguous() for tensor in (k, v, params, start, valid))
    with torch.cuda.device(k.get_device()):
        return cuda.forward(k, v, params, start, valid, every)


@fused_wkv_backward.register_kernel("cuda")
def backward_on_cuda(
    k: Tensor, v: Tensor, params: Tensor, marks: Tensor, valid: Tensor, gy: Tensor, gend: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    from . import cuda

    _, every = tile(k.shape[2])
    k, v, params, marks, valid, gy, gend = (tensor.contiguous() for tensor in (k, v, params, marks, valid, gy, gend))
    with torch.cuda.device(k.get_device()):
        return cuda.backward(k, v, params, marks, valid, gy, gend, every)
