"""One kernel forward and one backward drive every rule of `rules.py` through time.

A program owns one row of the batch and one block of columns and walks through T alone: no two programs meet. The states stay in
registers, float32; the backward pass computes them again from the input, so the forward pass saves nothing but its input.
"""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from . import rules
from .rules import Constants, Variant

# Steps of input in flight: a later step's load does not wait for this step's membrane.
STAGES = tl.constexpr(4)


@triton.jit
def place(T, M, BLOCK: tl.constexpr):
    """This program's row, the offsets of its columns in [B, T, M] at t = 0 and in [B, M], its columns, and which of them exist."""
    blocks = (M + BLOCK - 1) // BLOCK
    row = (tl.program_id(0) // blocks).to(tl.int64)
    columns = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    return row, row * T * M + columns, row * M + columns, columns, columns < M


@triton.jit
def is_valid(valid, index):
    """Whether the step at this flat index of [B, T] counts."""
    return index >= 0 if valid is None else tl.load(valid + index) != 0


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
    x, start, parameters, constants, valid, y, end, T, M, ADVANCE: tl.constexpr, VARIANT: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    row, at, at_state, columns, inside = place(T, M, BLOCK)
    s = load_all(start, at_state, inside)
    p = load_all(parameters, columns, inside)
    for t in tl.range(T, num_stages=STAGES):
        ok = is_valid(valid, row * T + t)
        # An invalid NaN goes no further: neither here nor into the gradient.
        x_t = tl.where(ok, load(x + at, inside), 0.0)
        y_t, after = ADVANCE(x_t, s, p, constants, VARIANT)
        tl.store(y + at, tl.where(ok, y_t, 0.0), mask=inside)
        s = select(ok, after, s)
        at += M
    store_all(end, at_state, s, inside)


@triton.jit
def _backward(
    grad_y, grad_end, x, start, parameters, constants, valid, trace, grad_x, grad_start, grad_parameters, T, M,
    ADVANCE: tl.constexpr, PULLBACK: tl.constexpr, VARIANT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, at, at_state, columns, inside = place(T, M, BLOCK)
    s = load_all(start, at_state, inside)
    p = load_all(parameters, columns, inside)
    for t in tl.range(T, num_stages=STAGES):
        store_all(trace, at, s, inside)
        ok = is_valid(valid, row * T + t)
        x_t = tl.where(ok, load(x + at, inside), 0.0)
        _, after = ADVANCE(x_t, s, p, constants, VARIANT)
        s = select(ok, after, s)
        at += M
    tl.debug_barrier()  # another thread may read back what this one wrote
    grad_s = load_all(grad_end, at_state, inside)
    nothing = [tl.zeros_like(q) for q in p]
    grad_p = nothing
    for t in tl.range(T, num_stages=STAGES):
        at -= M
        ok = is_valid(valid, row * T + T - 1 - t)
        s = load_all(trace, at, inside)
        x_t = tl.where(ok, load(x + at, inside), 0.0)
        grad_x_t, grad_before, grad_p_t = PULLBACK(x_t, s, p, constants, load(grad_y + at, inside), grad_s, VARIANT)
        tl.store(grad_x + at, tl.where(ok, grad_x_t, 0.0), mask=inside)
        grad_s = select(ok, grad_before, grad_s)
        grad_p = add(grad_p, select(ok, grad_p_t, nothing))
    store_all(grad_start, at_state, grad_s, inside)
    store_all(grad_parameters, at_state, grad_p, inside)


def _launch(x: Tensor) -> tuple[tuple[int], dict[str, Any]]:
    """The grid and the options for x [B, T, M]: one column per thread, and blocks no wider than the data."""
    batch, _, columns = x.shape
    block = min(128, max(32, triton.next_power_of_2(columns)))
    return (batch * triton.cdiv(columns, block),), dict(BLOCK=block, num_warps=block // 32, enable_fp_fusion=False)


def forward(
    rule: str,
    x: Tensor,
    start: Sequence[Tensor],
    parameters: Sequence[Tensor],
    valid: Tensor | None,
    constants: Constants,
    variant: Variant,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a rule forward.

    Args:
        rule: "li", "lif", "cuba_lif" or "adlif".
        x: inputs, [B, T, M], float32, bfloat16 or float16. This and all others are contiguous.
        start: the states before the first step, each float32 [B, M].
        parameters: the parameters per column, each float32 [M].
        valid: bool [B, T], or None.
        constants, variant: the numbers and the form of the rule.
    Returns:
        outputs [B, T, M] in the dtype of x, and the states after the last step.
    """
    y = torch.empty_like(x)
    end = tuple(torch.empty_like(s) for s in start)
    grid, options = _launch(x)
    advance = getattr(rules, f"{rule}_advance")
    _forward[grid](
        x, tuple(start), tuple(parameters), constants, valid, y, end, *x.shape[1:], ADVANCE=advance, VARIANT=variant, **options
    )  # fmt: skip
    return y, end


def backward(
    rule: str,
    grad_y: Tensor,
    grad_end: Sequence[Tensor],
    x: Tensor,
    start: Sequence[Tensor],
    parameters: Sequence[Tensor],
    valid: Tensor | None,
    constants: Constants,
    variant: Variant,
) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Gradients of `forward` for x, the first states and the parameters, from those of its results, contiguous as they."""
    grad_x = torch.empty_like(x)
    grad_start = tuple(torch.empty_like(s) for s in start)
    grad_rows = tuple(torch.empty_like(start[0]) for _ in parameters)
    # The states before each step: the first in the buffer of the gradient, which overwrites it step by step.
    first = grad_x if x.dtype == torch.float32 else torch.empty_like(x, dtype=torch.float32)
    trace = (first, *(torch.empty_like(first) for _ in start[1:]))
    grid, options = _launch(x)
    _backward[grid](
        grad_y, tuple(grad_end), x, tuple(start), tuple(parameters), constants, valid, trace, grad_x, grad_start, grad_rows, *x.shape[1:],
        ADVANCE=getattr(rules, f"{rule}_advance"), PULLBACK=getattr(rules, f"{rule}_pullback"), VARIANT=variant, **options,
    )  # fmt: skip
    return grad_x, grad_start, tuple(g.sum(0) for g in grad_rows)
