"""WKV on the CPU: compiles the loops and runs them in threads."""

from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from ..numba import scalars
from ..numba.arrays import array
from ..numba.pool import in_parts
from ..numba.specialise import specialise
from . import loops, varying


@cache
def _compiled(inputs: int) -> tuple[Any, Any]:
    """The forward and the backward loop for k and v, or for a third input, rates; numba compiles each when it is first called."""
    advance, pullback = (loops.advance_at_one_rate, loops.pullback_at_one_rate) if inputs == 2 else (varying.advance, varying.pullback)
    exponential = specialise(scalars.exp_of_negative)
    steps: dict[str, Any] = dict(advance=advance, pullback=pullback, answer=loops.answer)
    parts = {name: specialise(step, exponential=exponential) for name, step in steps.items()}
    return specialise(loops.forward, **parts), specialise(loops.backward, **parts)


def forward(x: tuple[Tensor, ...], params: Tensor, start: Tensor, valid: Tensor, width: int, every: int) -> tuple[Tensor, Tensor, Tensor]:
    """`fused_wkv` or `fused_varying_wkv` in tiles of `width` channels, with the sums before every `every`-th step."""
    batch, steps, columns = x[0].shape
    y, end = torch.empty_like(x[0], memory_format=torch.contiguous_format), torch.empty_like(start)
    marks = start.new_empty((steps + every - 1) // every, *start.shape)
    loop, _ = _compiled(len(x))
    arrays = map(array, (params, start, valid, y, end, marks))
    in_parts(partial(loop, tuple(map(array, x)), *arrays, width, every), batch * -(-columns // width))
    return y, end, marks


def backward(
    x: tuple[Tensor, ...], params: Tensor, marks: Tensor, valid: Tensor, gy: Tensor, gend: Tensor, width: int, every: int
) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
    """`fused_wkv_backward` or `fused_varying_wkv_backward`: the gradients of x, of the parameters and of the first sums."""
    gx = tuple(torch.empty_like(part, memory_format=torch.contiguous_format) for part in x)
    gparams, gstart = gend.new_empty(len(params), *gend.shape[1:]), torch.empty_like(gend)
    _, loop = _compiled(len(x))
    before = map(array, (params, marks, valid, gy, gend))
    after = tuple(map(array, gx)), array(gparams), array(gstart)
    in_parts(partial(loop, tuple(map(array, x)), *before, *after, width, every), x[0].shape[0] * -(-x[0].shape[2] // width))
    return gx, gparams, gstart
