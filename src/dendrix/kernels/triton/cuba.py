"""The current-based LIF on the GPU: `cuba_lif_step` through time in one kernel forward and one backward."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .step import STAGES, charge, charge_backward, fire, fire_backward, is_valid, launch_shape, load, load_step, place, reset, scratch_like


@triton.jit
def _forward(
    x, i0, v0, decay_syn, decay, valid, y, i_last, v_last, T, M, v_threshold, v_reset, SCALE_INPUT: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    row, at, at_state, columns, inside = place(T, M, BLOCK)
    d_syn, d = load(decay_syn + columns, inside), load(decay + columns, inside)
    i, v = load(i0 + at_state, inside), load(v0 + at_state, inside)
    for t in tl.range(T, num_stages=STAGES):
        ok = is_valid(valid, row * T + t)
        i = tl.where(ok, d_syn * i + load_step(x + at, inside, ok), i)
        h = charge(v, i, d, SCALE_INPUT)
        s = fire(h, v_threshold)
        v = tl.where(ok, reset(h, s, v_threshold, v_reset), v)
        tl.store(y + at, tl.where(ok, s, 0.0), mask=inside)
        at += M
    tl.store(i_last + at_state, i, mask=inside)
    tl.store(v_last + at_state, v, mask=inside)


@triton.jit
def _backward(
    grad_y, grad_i_last, grad_v_last, x, i0, v0, decay_syn, decay, valid, current, membrane,
    grad_x, grad_i0, grad_v0, grad_decay_syn, grad_decay, T, M, v_threshold, v_reset, width,
    SURROGATE: tl.constexpr, DETACH: tl.constexpr, SCALE_INPUT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, at, at_state, columns, inside = place(T, M, BLOCK)
    d_syn, d = load(decay_syn + columns, inside), load(decay + columns, inside)
    i, v = load(i0 + at_state, inside), load(v0 + at_state, inside)
    for t in tl.range(T, num_stages=STAGES):
        tl.store(current + at, i, mask=inside)
        tl.store(membrane + at, v, mask=inside)
        ok = is_valid(valid, row * T + t)
        i = tl.where(ok, d_syn * i + load_step(x + at, inside, ok), i)
        h = charge(v, i, d, SCALE_INPUT)
        v = tl.where(ok, reset(h, fire(h, v_threshold), v_threshold, v_reset), v)
        at += M
    tl.debug_barrier()
    g_i, g_v = load(grad_i_last + at_state, inside), load(grad_v_last + at_state, inside)
    g_decay_syn, g_decay = tl.zeros_like(d_syn), tl.zeros_like(d)
    for t in tl.range(T, num_stages=STAGES):
        at -= M
        ok = is_valid(valid, row * T + T - 1 - t)
        i, v = load(current + at, inside), load(membrane + at, inside)
        drive = d_syn * i + load_step(x + at, inside, ok)
        h = charge(v, drive, d, SCALE_INPUT)
        g_y = load_step(grad_y + at, inside, ok)
        g_h = tl.where(ok, fire_backward(g_y, g_v, h, v_threshold, v_reset, width, SURROGATE, DETACH), 0.0)
        g_drive, g_d = charge_backward(g_h, v, drive, d, SCALE_INPUT)
        g_x = tl.where(ok, g_i + g_drive, 0.0)
        g_decay += g_d
        g_decay_syn += g_x * i
        g_i = tl.where(ok, d_syn * g_x, g_i)
        g_v = tl.where(ok, d * g_h, g_v)
        tl.store(grad_x + at, g_x, mask=inside)
    tl.store(grad_i0 + at_state, g_i, mask=inside)
    tl.store(grad_v0 + at_state, g_v, mask=inside)
    tl.store(grad_decay_syn + at_state, g_decay_syn, mask=inside)
    tl.store(grad_decay + at_state, g_decay, mask=inside)


def forward(
    x: Tensor,
    i: Tensor,
    v: Tensor,
    decay_syn: Tensor,
    decay: Tensor,
    valid: Tensor | None,
    v_threshold: float,
    v_reset: float | None,
    scale_input: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes [B, T, M] in the dtype of x, and the last current and membrane [B, M], from contiguous inputs."""
    y, i_last, v_last = torch.empty_like(x), torch.empty_like(i), torch.empty_like(v)
    grid, options = launch_shape(x)
    _forward[grid](
        x, i, v, decay_syn, decay, valid, y, i_last, v_last, *x.shape[1:], v_threshold, v_reset, SCALE_INPUT=scale_input, **options
    )
    return y, i_last, v_last


def backward(
    grad_y: Tensor,
    grad_i_last: Tensor,
    grad_v_last: Tensor,
    x: Tensor,
    i: Tensor,
    v: Tensor,
    decay_syn: Tensor,
    decay: Tensor,
    valid: Tensor | None,
    v_threshold: float,
    v_reset: float | None,
    detach_reset: bool,
    scale_input: bool,
    surrogate: str,
    width: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x [B, T, M], the first current and membrane [B, M], and both decays [M]."""
    grad_x = torch.empty_like(x)
    grad_i, grad_v, grad_decay_syn, grad_decay = (torch.empty_like(v) for _ in range(4))
    current = torch.empty_like(x, dtype=torch.float32)
    grid, options = launch_shape(x)
    _backward[grid](
        grad_y, grad_i_last, grad_v_last, x, i, v, decay_syn, decay, valid, current, scratch_like(grad_x),
        grad_x, grad_i, grad_v, grad_decay_syn, grad_decay, *x.shape[1:], v_threshold, v_reset, width,
        SURROGATE=surrogate, DETACH=detach_reset, SCALE_INPUT=scale_input, **options,
    )  # fmt: skip
    return grad_x, grad_i, grad_v, grad_decay_syn.sum(0), grad_decay.sum(0)
