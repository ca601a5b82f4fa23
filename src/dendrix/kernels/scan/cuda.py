"""Forward and backward Triton kernels that apply the step functions of `cuda_steps` over time.

A program processes one row of the batch and one block of columns over all steps, independently of other programs. States are kept in
float32 registers. The forward pass saves its input, and the states at regular intervals ("marks"); the backward pass recomputes the states
between two marks in a scratch buffer that fits the cache.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from . import cuda_steps
from .cuda_steps import Constants, Variant

# Steps of input in flight: a later step's load does not wait for this step's membrane.
STAGES = tl.constexpr(4)


@triton.jit
def place(M, BLOCK: tl.constexpr):
    """Return the row of the batch, int64, and the columns of this program."""
    blocks = tl.cdiv(M, BLOCK)
    row = tl.cast(tl.program_id(0) // blocks, tl.int64)
    return row, (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)


@triton.jit
def load(pointers, inside):
    return tl.load(pointers, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def load_all(pointers, offsets, inside):
    return [load(p + offsets, inside) for p in pointers]


@triton.jit
def store_all(pointers, offsets, values, inside):
    for k in tl.static_range(len(pointers)):
        tl.store(pointers[k] + offsets, values[k], mask=inside)


@triton.jit
def select(ok, new, old):
    """`new` where the step counts, else `old`, for each member of a tuple."""
    chosen = tl.tuple([])
    for k in tl.static_range(len(old)):
        chosen += (tl.where(ok, new[k], old[k]),)
    return chosen


@triton.jit
def add(first, second):
    """The sum of two tuples, member by member."""
    total = tl.tuple([])
    for k in tl.static_range(len(first)):
        total += (first[k] + second[k],)
    return total


@triton.jit
def _forward(
    x, start, parameters, constants, valid, y, end, marks, T, M, every, marks_stride,
    ADVANCE: tl.constexpr, VARIANT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, columns = place(M, BLOCK)
    inside = columns < M
    at, at_state = row * T * M + columns, row * M + columns
    s = load_all(start, at_state, inside)
    p = load_all(parameters, columns, inside)
    for chunk in tl.range(tl.cdiv(T, every)):
        begin = tl.cast(chunk, tl.int64) * every
        store_all(marks, at_state + tl.cast(chunk, tl.int64) * marks_stride, s, inside)
        for k in tl.range(tl.minimum(every, T - begin), num_stages=STAGES):
            ok = tl.load(valid + row * T + begin + k)
            here = at + (begin + k) * M
            # Zeroed, so that a NaN at an invalid step reaches neither the states nor the gradient.
            x_t = tl.where(ok, load(x + here, inside), 0.0)
            y_t, after = ADVANCE(x_t, s, p, constants, VARIANT)
            tl.store(y + here, tl.where(ok, y_t, 0.0), mask=inside)
            s = select(ok, after, s)
    store_all(end, at_state, s, inside)


@triton.jit
def _backward(
    grad_y, grad_end, x, marks, parameters, constants, valid, trace, grad_x, grad_start, grad_parameters, T, M, every, marks_stride,
    ADVANCE: tl.constexpr, PULLBACK: tl.constexpr, VARIANT: tl.constexpr, BLOCK: tl.constexpr,
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
        for k in tl.range(steps, num_stages=STAGES):
            store_all(trace, at_trace + k * M, s, inside)
            ok = tl.load(valid + row * T + begin + k)
            x_t = tl.where(ok, load(x + at + (begin + k) * M, inside), 0.0)
            _, after = ADVANCE(x_t, s, p, constants, VARIANT)
            s = select(ok, after, s)
        tl.debug_barrier()  # another thread may read what this one wrote
        for left in tl.range(steps, num_stages=STAGES):
            k = steps - 1 - left
            here = at + (begin + k) * M
            ok = tl.load(valid + row * T + begin + k)
            s = load_all(trace, at_trace + k * M, inside)
            x_t = tl.where(ok, load(x + here, inside), 0.0)
            grad_x_t, grad_before, grad_p_t = PULLBACK(x_t, s, p, constants, load(grad_y + here, inside), grad_s, VARIANT)
            tl.store(grad_x + here, tl.where(ok, grad_x_t, 0.0), mask=inside)
            grad_s = select(ok, grad_before, grad_s)
            grad_p = add(grad_p, select(ok, grad_p_t, nothing))
        tl.debug_barrier()
    store_all(grad_start, at_state, grad_s, inside)
    store_all(grad_parameters, at_state, grad_p, inside)


def launch(x: Tensor, *, contract: bool) -> tuple[tuple[int], dict[str, Any]]:
    """The grid and the options for x [B, T, M]: one column per thread, and blocks no wider than the data.

    Args:
        x: what the kernel reads.
        contract: whether a product and a sum may be rounded once instead of twice.
    """
    batch, _, columns = x.shape
    block = min(128, max(32, triton.next_power_of_2(columns)))
    return (batch * triton.cdiv(columns, block),), dict(BLOCK=block, num_warps=block // 32, enable_fp_fusion=contract)


def _variant(flags: list[bool], surrogate: str) -> Variant:
    hard, detached, scaled = flags
    return Variant(hard, detached, scaled, surrogate)


def forward(
    x: Tensor, start: Tensor, params: Tensor, valid: Tensor, rule: str, flags: list[bool], constants: list[float], surrogate: str,
    every: int,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The forward pass of `fused_scan` on the GPU, with the states before every `every`-th step; all tensors are contiguous."""
    steps, columns = x.shape[1:]
    y, end = torch.empty_like(x), torch.empty_like(start)
    marks = start.new_empty(triton.cdiv(steps, every), *start.shape)
    grid, options = launch(x, contract=False)
    _forward[grid](
        x, start.unbind(0), params.unbind(0), Constants(*constants), valid, y, end.unbind(0), marks.unbind(1),
        steps, columns, every, start.numel(), ADVANCE=getattr(cuda_steps, f"{rule}_advance"), VARIANT=_variant(flags, surrogate), **options,
    )  # fmt: skip
    return y, end, marks


def backward(
    x: Tensor, marks: Tensor, params: Tensor, valid: Tensor, gy: Tensor, gend: Tensor, rule: str, flags: list[bool],
    constants: list[float], surrogate: str, every: int,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The backward pass: gradients of x, of the states at the start, and of the parameters, one per row [m, B, M]."""
    batch, steps, columns = x.shape
    gx, gstart = torch.empty_like(x), torch.empty_like(gend)
    gparams = gend.new_empty(len(params), batch, columns)
    trace = gend.new_empty(len(gend), batch, every, columns)
    grid, options = launch(x, contract=False)
    advance, pullback = (getattr(cuda_steps, f"{rule}_{direction}") for direction in ("advance", "pullback"))
    _backward[grid](
        gy, gend.unbind(0), x, marks.unbind(1), params.unbind(0), Constants(*constants), valid, trace.unbind(0),
        gx, gstart.unbind(0), gparams.unbind(0), steps, columns, every, gend.numel(),
        ADVANCE=advance, PULLBACK=pullback, VARIANT=_variant(flags, surrogate), **options,
    )  # fmt: skip
    return gx, gstart, gparams
