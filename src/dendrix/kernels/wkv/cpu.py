"""WKV on the CPU: compiles the loops and runs them in threads."""

from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from ..numba import scalars
from ..numba.arrays import array
from ..numba.pool import in_parts
from ..numba.specialise import specialise
from . import loops


@cache
def _compiled() -> tuple[Any, Any]:
    """The forward and the backward loop; numba compiles each when it is first called."""
    exponential = specialise(scalars.exp_of_negative)
    parts = {f.__name__: specialise(f, exponential=exponential) for f in (loops.advance, loops.answer, loops.pullback)}
    return specialise(loops.forward, **parts), specialise(loops.backward, **parts)


def forward(k: Tensor, v: Tensor, params: Tensor, start: Tensor, valid: Tensor, width: int, every: int) -> tuple[Tensor, Tensor, Tensor]:
    """`fused_wkv` in tiles of `width` channels, with the sums before every `every`-th step."""
    steps, columns = k.shape[1:]
    y, end = torch.empty_like(k, memory_format=torch.contiguous_format), torch.empty_like(start)
    marks = start.new_empty((steps + every - 1) // every, *start.shape)
    loop, _ = _compiled()
    in_parts(partial(loop, *map(array, (k, v, params, start, valid, y, end, marks)), width, every), k.shape[0] * -(-columns // width))
    return y, end, marks


def backward(
    k: Tensor, v: Tensor, params: Tensor, marks: Tensor, valid: Tensor, gy: Tensor, gend: Tensor, width: int, every: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`fused_wkv_backward`."""
    gk, gv = (torch.empty_like(k, memory_format=torch.contiguous_format) for _ in range(2))
    gparams, gstart = gend.new_empty(2, *gend.shape[1:]), torch.empty_like(gend)
    _, loop = _compiled()
    arrays = map(array, (k, v, params, marks, valid, gy, gend, gk, gv, gparams, gstart))
    in_parts(partial(loop, *arrays, width, every), k.shape[0] * -(-k.shape[2] // width))
    return gk, gv, gparams, gstart
