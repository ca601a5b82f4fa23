"""The adaptive LIF on the GPU: `adlif_step` through time in one kernel forward and one backward."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .step import STAGES, fire, is_valid, launch_shape, load, load_step, place, scratch_like, surrogate_slope


@triton.jit
def _advance(x, u, w, s, d, d_w, a, b, v_threshold):
    """The next membrane and adaptation; see `adlif_step`."""
    w_next = d_w * w + a * u + b * s
    u_next = d * (u - v_threshold * s) + (1 - d) * (x - w_next)
    return u_next, w_next


@triton.jit
def _load_parameters(decay, decay_w, a, b, columns, inside):
    return load(decay + columns, inside), load(decay_w + columns, inside), load(a + columns, inside), load(b + columns, inside)


@triton.jit
def _forward(
    x, u0, w0, s0, decay, decay_w, a, b, valid, y, u_last, w_last, s_last, T, M, v_threshold, BLOCK: tl.constexpr
):  # fmt: skip
    row, at, at_state, columns, inside = place(T, M, BLOCK)
    d, d_w, a_c, b_c = _load_parameters(decay, decay_w, a, b, columns, inside)
    u, w, s = load(u0 + at_state, inside), load(w0 + at_state, inside), load(s0 + at_state, inside)
    for t in tl.range(T, num_stages=STAGES):
        ok = is_valid(valid, row * T + t)
        u_next, w_next = _advance(load_step(x + at, inside, ok), u, w, s, d, d_w, a_c, b_c, v_threshold)
        fired = fire(u_next, v_threshold)
        tl.store(y + at, tl.where(ok, fired, 0.0), mask=inside)
        u, w, s = tl.where(ok, u_next, u), tl.where(ok, w_next, w), tl.where(ok, fired, s)
        at += M
    tl.store(u_last + at_state, u, mask=inside)
    tl.store(w_last + at_state, w, mask=inside)
    tl.store(s_last + at_state, s, mask=inside)


@triton.jit
def _backward(
    grad_y, grad_u_last, grad_w_last, grad_s_last, x, u0, w0, s0, decay, decay_w, a, b, valid, membrane, adaptation,
    grad_x, grad_u0, grad_w0, grad_s0, grad_decay, grad_decay_w, grad_a, grad_b, T, M, v_threshold, width,
    SURROGATE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, at, at_state, columns, inside = place(T, M, BLOCK)
    d, d_w, a_c, b_c = _load_parameters(decay, decay_w, a, b, columns, inside)
    u, w, s_first = load(u0 + at_state, inside), load(w0 + at_state, inside), load(s0 + at_state, inside)
    s = s_first
    first_valid = T
    for t in tl.range(T, num_stages=STAGES):
        tl.store(membrane + at, u, mask=inside)
        tl.store(adaptation + at, w, mask=inside)
        ok = is_valid(valid, row * T + t)
        first_valid = tl.where(ok, tl.minimum(first_valid, t), first_valid)
        u_next, w_next = _advance(load_step(x + at, inside, ok), u, w, s, d, d_w, a_c, b_c, v_threshold)
        u, w, s = tl.where(ok, u_next, u), tl.where(ok, w_next, w), tl.where(ok, fire(u_next, v_threshold), s)
        at += M
    tl.debug_barrier()
    g_u, g_w, g_s = load(grad_u_last + at_state, inside), load(grad_w_last + at_state, inside), load(grad_s_last + at_state, inside)
    g_decay, g_decay_w, g_a, g_b = tl.zeros_like(d), tl.zeros_like(d), tl.zeros_like(d), tl.zeros_like(d)
    for k in tl.range(T, num_stages=STAGES):
        at -= M
        t = T - 1 - k
        ok = is_valid(valid, row * T + t)
        u, w, x_t = load(membrane + at, inside), load(adaptation + at, inside), load_step(x + at, inside, ok)
        # The membrane tells whether the step before fired, but for the state that the sequence came with.
        s = tl.where(t > first_valid, fire(u, v_threshold), s_first)
        u_next, w_next = _advance(x_t, u, w, s, d, d_w, a_c, b_c, v_threshold)
        slope = surrogate_slope(u_next - v_threshold, width, SURROGATE)
        g_u_next = tl.where(ok, g_u + (g_s + load(grad_y + at, inside)) * slope, 0.0)
        g_x = (1 - d) * g_u_next
        g_w_next = tl.where(ok, g_w - g_x, 0.0)
        g_decay += g_u_next * (u - v_threshold * s - (x_t - w_next))
        g_decay_w += g_w_next * w
        g_a += g_w_next * u
        g_b += g_w_next * s
        g_u = tl.where(ok, d * g_u_next + a_c * g_w_next, g_u)
        g_w = tl.where(ok, d_w * g_w_next, g_w)
        g_s = tl.where(ok, b_c * g_w_next - d * v_threshold * g_u_next, g_s)
        tl.store(grad_x + at, g_x, mask=inside)
    tl.store(grad_u0 + at_state, g_u, mask=inside)
    tl.store(grad_w0 + at_state, g_w, mask=inside)
    tl.store(grad_s0 + at_state, g_s, mask=inside)
    tl.store(grad_decay + at_state, g_decay, mask=inside)
    tl.store(grad_decay_w + at_state, g_decay_w, mask=inside)
    tl.store(grad_a + at_state, g_a, mask=inside)
    tl.store(grad_b + at_state, g_b, mask=inside)


def forward(
    x: Tensor,
    u: Tensor,
    w: Tensor,
    s: Tensor,
    decay: Tensor,
    decay_w: Tensor,
    a: Tensor,
    b: Tensor,
    valid: Tensor | None,
    v_threshold: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spikes [B, T, M] in the dtype of x, and the last membrane, adaptation and spikes [B, M], from contiguous inputs."""
    y = torch.empty_like(x)
    last = [torch.empty_like(u) for _ in range(3)]
    grid, options = launch_shape(x)
    _forward[grid](x, u, w, s, decay, decay_w, a, b, valid, y, *last, *x.shape[1:], v_threshold, **options)
    return y, last[0], last[1], last[2]


def backward(
    grad_y: Tensor,
    grad_u_last: Tensor,
    grad_w_last: Tensor,
    grad_s_last: Tensor,
    x: Tensor,
    u: Tensor,
    w: Tensor,
    s: Tensor,
    decay: Tensor,
    decay_w: Tensor,
    a: Tensor,
    b: Tensor,
    valid: Tensor | None,
    v_threshold: float,
    surrogate: str,
    width: float,
) -> tuple[Tensor, ...]:
    """Gradients of x [B, T, M]; of the first u, w and s, [B, M]; and of decay, decay_w, a and b, [M]."""
    grad_x = torch.empty_like(x)
    grads = [torch.empty_like(u) for _ in range(7)]
    adaptation = torch.empty_like(x, dtype=torch.float32)
    grid, options = launch_shape(x)
    _backward[grid](
        grad_y, grad_u_last, grad_w_last, grad_s_last, x, u, w, s, decay, decay_w, a, b, valid, scratch_like(grad_x), adaptation,
        grad_x, *grads, *x.shape[1:], v_threshold, width, SURROGATE=surrogate, **options,
    )  # fmt: skip
    return grad_x, *grads[:3], *(g.sum(0) for g in grads[3:])
