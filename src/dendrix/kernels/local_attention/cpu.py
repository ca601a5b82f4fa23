"""Local attention on the CPU: compiles the loops and runs them in threads."""

from functools import cache, partial
from typing import Any

import numpy as np
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
    parts = {name: specialise(getattr(loops, name)) for name in ("turn", "turn_back", "add_back", "rows")}
    exponential = specialise(scalars.exp_of_negative)
    return (
        specialise(loops.forward, any_order=True, exponential=exponential, **parts),
        specialise(loops.backward, any_order=True, **parts),
    )


def forward(q: Tensor, keys: Tensor, values: Tensor, age: Tensor, gates: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """`fused_local_attention`."""
    batch, steps, heads = gates.shape
    y, weights = values.new_empty(batch, steps, values.shape[2]), values.new_empty(batch, heads, age.shape[1], steps)
    arrays = map(array, (q, keys, values, age, gates))
    in_parts(partial(_compiled()[0], *arrays, np.float32(scale), array(y), array(weights)), batch * heads)
    return y, weights


def backward(
    q: Tensor, keys: Tensor, values: Tensor, gates: Tensor, weights: Tensor, gy: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """`fused_local_attention_backward`."""
    batch, _, heads = gates.shape
    found = torch.empty_like(q), torch.zeros_like(keys), torch.zeros_like(values), q.new_empty(batch, heads, weights.shape[2])
    ggates = torch.empty_like(gates)
    before = map(array, (q, keys, values, gates))
    after = map(array, (weights, gy, *found, ggates))
    in_parts(partial(_compiled()[1], *before, np.float32(scale), *after), batch * heads)
    return *found, ggates
