"""The leaky integrator on the GPU: `li_step` through time in one kernel forward and one backward."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .step import STAGES, is_valid, launch_shape, load, load_step, place, scratch_like


@triton.jit
def _forward(x, v0, decay, valid, y, v_last, T, M, BLOCK: tl.constexpr):
    row, at, at_state, columns, inside = place(T, M, BLOCK)
    d = load(decay + columns, inside)
    v = load(v0 + at_state, inside)
    for t in tl.range(T, num_stages=STAGES):
        ok = is_valid(valid, row * T + t)
        v = tl.where(ok, d * v + load_step(x + at, inside, ok), v)
        tl.store(y + at, tl.where(ok, v, 0.0), mask=inside)
        at += M
    tl.store(v_last + at_state, v, mask=inside)


@triton.jit
def _backward(
    grad_y, grad_v_last, x, v0, decay, valid, membrane, grad_x, grad_v0, grad_decay, T, M, BLOCK: tl.constexpr
):  # fmt: skip
    row, at, at_state, columns, inside = place(T, M, BLOCK)
    d = load(decay + columns, inside)
    v = load(v0 + at_state, inside)
    for t in tl.range(T, num_stages=STAGES):
        tl.store(membrane + at, v, mask=inside)
        ok = is_valid(valid, row * T + t)
        v = tl.where(ok, d * v + load_step(x + at, inside, ok), v)
        at += M
    tl.debug_barrier()
    g = load(grad_v_last + at_state, inside)
    g_decay = tl.zeros_like(d)
    for t in tl.range(T, num_stages=STAGES):
        at -= M
        ok = is_valid(valid, row * T + T - 1 - t)
        g_v = tl.where(ok, g + load(grad_y + at, inside), 0.0)
        g_decay += g_v * load(membrane + at, inside)
        g = tl.where(ok, d * g_v, g)
        tl.store(grad_x + at, g_v, mask=inside)
    tl.store(grad_v0 + at_state, g, mask=inside)
    tl.store(grad_decay + at_state, g_decay, mask=inside)


def forward(x: Tensor, v: Tensor, decay: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Membranes [B, T, M] in the dtype of x, and the last one [B, M], from contiguous x [B, T, M], v [B, M] and decay [M]."""
    y, v_last = torch.empty_like(x), torch.empty_like(v)
    grid, options = launch_shape(x)
    _forward[grid](x, v, decay, valid, y, v_last, *x.shape[1:], **options)
    return y, v_last


def backward(
    grad_y: Tensor, grad_v_last: Tensor, x: Tensor, v: Tensor, decay: Tensor, valid: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x [B, T, M], the first membrane [B, M] and decay [M]. The membrane is recomputed from x."""
    grad_x, grad_v, grad_decay = torch.empty_like(x), torch.empty_like(v), torch.empty_like(v)
    grid, options = launch_shape(x)
    _backward[grid](grad_y, grad_v_last, x, v, decay, valid, scratch_like(grad_x), grad_x, grad_v, grad_decay, *x.shape[1:], **options)
    return grad_x, grad_v, grad_decay.sum(0)
