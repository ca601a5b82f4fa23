"""The fused scans on the CPU: picks and compiles the loops of one variant, and runs them in threads."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..numba import scalars
from ..numba.arrays import array
from ..numba.pool import in_parts
from ..numba.specialise import specialise
from . import adlif, counts, cuba, li, lif, loops, nir

_RULES: dict[str, Any] = {
    "lif_step": lif, "cuba_lif_step": cuba, "adlif_step": adlif, "li_step": li,
    "membrane_step": nir, "synapse_step": nir, "spike_count_step": counts,
}  # fmt: skip

_ALONE = 1_000_000
"""Elements below which one thread is faster than two. Handing tiles over takes 0.2 ms, the work on a million elements 0.4 to 0.6 ms."""


@cache
def _compiled(name: str, flags: tuple[bool, ...], surrogate: str, bfloat16: bool) -> tuple[Any, Any]:
    """The forward and the backward loop of one variant; numba compiles each when it is first called."""
    rule = _RULES[name]
    bound: dict[str, Any] = dict(zip(("hard", "detached", "scaled", "signed"), flags, strict=False))
    bound |= {"synapse": name == "synapse_step", "membrane": int(name == "synapse_step")}
    bound["load"] = specialise(scalars.widen if bfloat16 else scalars.same)
    bound["store"] = specialise(scalars.narrow if bfloat16 else scalars.same)
    derivatives = {kind.__name__: derivative for kind, derivative in scalars.DERIVATIVES.items()}
    if surrogate in derivatives:
        bound["derivative"] = specialise(derivatives[surrogate], exponential=specialise(scalars.exp_of_negative))
    advance = specialise(rule.advance, inlined=True, emits=True, **bound)
    retrace = specialise(rule.advance, inlined=True, emits=False, **bound)
    pullback = specialise(rule.pullback, inlined=True, **bound)
    return specialise(loops.forward, advance=advance), specialise(loops.backward, retrace=retrace, pullback=pullback)


def _run(loop: Any, arrays: list[Any], every: int, scratch: list[tuple[int, ...]], first: int, last: int) -> None:
    """Run a loop on tiles first .. last - 1, with memory of this thread in these shapes.

    It comes from torch because that begins cache lines: vectors that cross lines made the loops up to twice as slow. torch's default dtype
    and device, which users may set, must not change it.
    """
    memory = (torch.empty(shape, dtype=torch.float32, device="cpu").numpy() for shape in scratch)
    loop(*arrays, every, *memory, first, last)


def _in_parts(work: Callable[[int, int], None], x: Tensor, count: int) -> None:
    """Divide the tiles of a scan among threads if that pays."""
    if x.numel() < _ALONE:
        work(0, count)
    else:
        in_parts(work, count)


def forward(
    x: Tensor, start: Tensor, params: Tensor, valid: Tensor, rule: str, flags: list[bool], constants: list[float], surrogate: str,
    width: int, every: int,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """`fused_scan` in tiles of `width` columns, with the states before every `every`-th step."""
    steps, columns = x.shape[1:]
    y, end = torch.empty_like(x, memory_format=torch.contiguous_format), torch.empty_like(start)
    marks = start.new_empty((steps + every - 1) // every, *start.shape)
    loop, _ = _compiled(rule, tuple(flags), surrogate, x.dtype == torch.bfloat16)
    arrays = [array(x), array(start), array(params), tuple(map(np.float32, constants)), array(valid)]
    arrays += [array(y), array(end), array(marks)]
    scratch = [(2, len(start), width), (len(params), width)]
    _in_parts(partial(_run, loop, arrays, every, scratch), x, x.shape[0] * -(-columns // width))
    return y, end, marks


def backward(
    x: Tensor, marks: Tensor, params: Tensor, valid: Tensor, gy: Tensor, gend: Tensor, rule: str, flags: list[bool],
    constants: list[float], surrogate: str, width: int, every: int,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """`fused_scan_backward`."""
    gx, gstart = torch.empty_like(x, memory_format=torch.contiguous_format), torch.empty_like(gend)
    gparams = gend.new_empty(len(params), *gend.shape[1:])
    _, loop = _compiled(rule, tuple(flags), surrogate, x.dtype == torch.bfloat16)
    arrays = [array(x), array(marks), array(params), tuple(map(np.float32, constants)), array(valid), array(gy), array(gend)]
    arrays += [array(gx), array(gstart), array(gparams)]
    states, ms = (len(gend), width), (len(params), width)
    _in_parts(partial(_run, loop, arrays, every, [(every + 1, *states), states, ms, ms]), x, x.shape[0] * -(-x.shape[2] // width))
    return gx, gstart, gparams
