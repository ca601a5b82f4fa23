"""LIF, IF and PLIF on the GPU: `lif_step` through time in one kernel forward and one backward."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .step import STAGES, charge, charge_backward, fire, fire_backward, is_valid, launch_shape, load, load_step, place, reset, scratch_like


@triton.jit
def _forward(
    x, v0, decay, valid, y, v_last, T, M, v_threshold, v_reset, amplitude, SCALE_INPUT: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    row, at, at_state, columns, inside = place(T, M, BLOCK)
    d = load(decay + columns, inside)
    v = load(v0 + at_state, inside)
    for t in tl.range(T, num_stages=STAGES):
        ok = is_valid(valid, row * T + t)
        h = charge(v, load_step(x + at, inside, ok), d, SCALE_INPUT)
        s = fire(h, v_threshold)
        v = tl.where(ok, reset(h, s, v_threshold, v_reset), v)
        tl.store(y + at, tl.where(ok, s * amplitude, 0.0), mask=inside)
        at += M
    tl.store(v_last + at_state, v, mask=inside)


@triton.jit
def _backward(
    grad_y, grad_v_last, x, v0, decay, valid, membrane, grad_x, grad_v0, grad_decay, T, M, v_threshold, v_reset, amplitude, width,
    SURROGATE: tl.constexpr, DETACH: tl.constexpr, SCALE_INPUT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, at, at_state, columns, inside = place(T, M, BLOCK)
    d = load(decay + columns, inside)
    v = load(v0 + at_state, inside)
    for t in tl.range(T, num_stages=STAGES):
        tl.store(membrane + at, v, mask=inside)
        ok = is_valid(valid, row * T + t)
        h = charge(v, load_step(x + at, inside, ok), d, SCALE_INPUT)
        v = tl.where(ok, reset(h, fire(h, v_threshold), v_threshold, v_reset), v)
        at += M
    tl.debug_barrier()
    g = load(grad_v_last + at_state, inside)
    g_decay = tl.zeros_like(d)
    for t in tl.range(T, num_stages=STAGES):
        at -= M
        ok = is_valid(valid, row * T + T - 1 - t)
        v = load(membrane + at, inside)
        x_t = load_step(x + at, inside, ok)
        h = charge(v, x_t, d, SCALE_INPUT)
        g_y = load_step(grad_y + at, inside, ok) * amplitude
        g_h = tl.where(ok, fire_backward(g_y, g, h, v_threshold, v_reset, width, SURROGATE, DETACH), 0.0)
        g_x, g_d = charge_backward(g_h, v, x_t, d, SCALE_INPUT)
        g_decay += g_d
        g = tl.where(ok, d * g_h, g)
        tl.store(grad_x + at, g_x, mask=inside)
    tl.store(grad_v0 + at_state, g, mask=inside)
    tl.store(grad_decay + at_state, g_decay, mask=inside)


def forward(
    x: Tensor,
    v: Tensor,
    decay: Tensor,
    valid: Tensor | None,
    v_threshold: float,
    v_reset: float | None,
    scale_input: bool,
    amplitude: float,
) -> tuple[Tensor, Tensor]:
    """Spikes [B, T, M] in the dtype of x, and the last membrane [B, M], from contiguous x [B, T, M], v [B, M] and decay [M]."""
    y, v_last = torch.empty_like(x), torch.empty_like(v)
    grid, options = launch_shape(x)
    _forward[grid](x, v, decay, valid, y, v_last, *x.shape[1:], v_threshold, v_reset, amplitude, SCALE_INPUT=scale_input, **options)
    return y, v_last


def backward(
    grad_y: Tensor,
    grad_v_last: Tensor,
    x: Tensor,
    v: Tensor,
    decay: Tensor,
    valid: Tensor | None,
    v_threshold: float,
    v_reset: float | None,
    detach_reset: bool,
    scale_input: bool,
    amplitude: float,
    surrogate: str,
    width: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x [B, T, M], the first membrane [B, M] and decay [M]. The membrane is recomputed from x."""
    grad_x, grad_v, grad_decay = torch.empty_like(x), torch.empty_like(v), torch.empty_like(v)
    grid, options = launch_shape(x)
    _backward[grid](
        grad_y, grad_v_last, x, v, decay, valid, scratch_like(grad_x), grad_x, grad_v, grad_decay, *x.shape[1:],
        v_threshold, v_reset, amplitude, width, SURROGATE=surrogate, DETACH=detach_reset, SCALE_INPUT=scale_input, **options,
    )  # fmt: skip
    return grad_x, grad_v, grad_decay.sum(0)
