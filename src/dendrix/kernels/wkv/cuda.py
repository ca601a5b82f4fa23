"""WKV through time: one kernel forward and one backward. Equations in `layers.rwkv.wkv`, structure as in `scan.cuda`.

A program processes one row of the batch and one block of channels. Of each pair of exponentials, the larger is one.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..scan.cuda import STAGES, add, launch, load, load_all, place, select, store_all


@triton.jit
def weigh(first, second):
    """exp of two exponents, less the larger of the two."""
    less = tl.exp(-tl.abs(first - second))
    ahead = first >= second
    return tl.where(ahead, 1.0, less), tl.where(ahead, less, 1.0)


@triton.jit
def advance(k, v, s, p):
    """The sums after a step; p are the rate and the bonus."""
    past, now = weigh(s[2] - p[0], k)
    return past * s[0] + now * v, past * s[1] + now, tl.maximum(s[2] - p[0], k)


@triton.jit
def pullback(k, v, s, p, grad_y, grad_s):
    """From the sums before a step: the gradients of k and v, of both sums, and of the rate and the bonus."""
    past, now = weigh(s[2] - p[0], k)
    grad_k = now * (grad_s[0] * v + grad_s[1])
    grad_v = now * grad_s[0]
    grad_rate = -past * (grad_s[0] * s[0] + grad_s[1] * s[1])
    grad_a, grad_b = past * grad_s[0], past * grad_s[1]
    past, now = weigh(s[2], p[1] + k)
    share = 1 / (past * s[1] + now)
    y = (past * s[0] + now * v) * share
    share *= grad_y
    grad_bonus = share * now * (v - y)
    before = (grad_a + share * past, grad_b - share * past * y)
    return grad_k + grad_bonus, grad_v + share * now, before, (grad_rate, grad_bonus)


@triton.jit
def _forward(k, v, parameters, start, valid, y, end, marks, T, M, every, marks_stride, BLOCK: tl.constexpr):
    row, columns = place(M, BLOCK)
    inside = columns < M
    at, at_state = row * T * M + columns, row * M + columns
    p = load_all(parameters, columns, inside)
    s = load_all(start, at_state, inside)
    for chunk in tl.range(tl.cdiv(T, every)):
        begin = tl.cast(chunk, tl.int64) * every
        store_all(marks, at_state + tl.cast(chunk, tl.int64) * marks_stride, s, inside)
        for i in tl.range(tl.minimum(every, T - begin), num_stages=STAGES):
            ok = tl.load(valid + row * T + begin + i)
            here = at + (begin + i) * M
            # Zeroed, so that a NaN at an invalid step reaches neither the sums nor the gradient.
            k_t, v_t = tl.where(ok, load(k + here, inside), 0.0), tl.where(ok, load(v + here, inside), 0.0)
            past, now = weigh(s[2], p[1] + k_t)
            tl.store(y + here, tl.where(ok, (past * s[0] + now * v_t) / (past * s[1] + now), 0.0), mask=inside)
            s = select(ok, advance(k_t, v_t, s, p), s)
    store_all(end, at_state, s, inside)


@triton.jit
def _backward(
    grad_y, grad_end, k, v, parameters, marks, valid, trace, grad_k, grad_v, grad_parameters, grad_start, T, M, every, marks_stride,
    BLOCK: tl.constexpr,
):  # fmt: skip
    row, columns = place(M, BLOCK)
    inside = columns < M
    at, at_state, at_trace = row * T * M + columns, row * M + columns, row * every * M + columns
    p = load_all(parameters, columns, inside)
    grad_s = load_all(grad_end, at_state, inside)
    nothing = [tl.zeros_like(q) for q in p]
    grad_p = nothing
    chunks = tl.cdiv(T, every)
    for back in tl.range(chunks):
        chunk = tl.cast(chunks - 1 - back, tl.int64)
        begin = chunk * every
        steps = tl.minimum(every, T - begin)
        s = load_all(marks, at_state + chunk * marks_stride, inside)
        for i in tl.range(steps, num_stages=STAGES):
            store_all(trace, at_trace + i * M, s, inside)
            ok = tl.load(valid + row * T + begin + i)
            here = at + (begin + i) * M
            k_t, v_t = tl.where(ok, load(k + here, inside), 0.0), tl.where(ok, load(v + here, inside), 0.0)
            s = select(ok, advance(k_t, v_t, s, p), s)
        tl.debug_barrier()  # another thread may read what this one wrote
        for left in tl.range(steps, num_stages=STAGES):
            i = steps - 1 - left
            here = at + (begin + i) * M
            ok = tl.load(valid + row * T + begin + i)
            s = load_all(trace, at_trace + i * M, inside)
            k_t, v_t = tl.where(ok, load(k + here, inside), 0.0), tl.where(ok, load(v + here, inside), 0.0)
            grad_k_t, grad_v_t, before, grad_p_t = pullback(k_t, v_t, s, p, load(grad_y + here, inside), grad_s)
            tl.store(grad_k + here, tl.where(ok, grad_k_t, 0.0), mask=inside)
            tl.store(grad_v + here, tl.where(ok, grad_v_t, 0.0), mask=inside)
            grad_s = select(ok, before, grad_s)
            grad_p = add(grad_p, select(ok, grad_p_t, nothing))
        tl.debug_barrier()
    store_all(grad_start, at_state, grad_s, inside)
    store_all(grad_parameters, at_state, grad_p, inside)


def forward(k: Tensor, v: Tensor, params: Tensor, start: Tensor, valid: Tensor, every: int) -> tuple[Tensor, Tensor, Tensor]:
    """`fused_wkv` on the GPU, with the sums before every `every`-th step; all tensors are contiguous."""
    steps, columns = k.shape[1:]
    y, end = torch.empty_like(k), torch.empty_like(start)
    marks = start.new_empty(triton.cdiv(steps, every), *start.shape)
    grid, options = launch(k, contract=True)
    _forward[grid](
        k, v, params.unbind(0), start.unbind(0), valid, y, end.unbind(0), marks.unbind(1), steps, columns, every, start.numel(), **options
    )
    return y, end, marks


def backward(
    k: Tensor, v: Tensor, params: Tensor, marks: Tensor, valid: Tensor, gy: Tensor, gend: Tensor, every: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`fused_wkv_backward` on the GPU."""
    batch, steps, columns = k.shape
    gk, gv = torch.empty_like(k), torch.empty_like(v)
    gparams, gstart = gend.new_empty(len(params), batch, columns), torch.empty_like(gend)
    trace = gend.new_empty(marks.shape[1], batch, every, columns)
    grid, options = launch(k, contract=True)
    _backward[grid](
        gy, gend.unbind(0), k, v, params.unbind(0), marks.unbind(1), valid, trace.unbind(0),
        gk, gv, gparams.unbind(0), gstart.unbind(0), steps, columns, every, marks[0].numel(), **options,
    )  # fmt: skip
    return gk, gv, gparams, gstart
