"""The mixtures of token shift on the CPU."""

from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..numba.arrays import array
from ..numba.pool import in_parts
from ..numba.specialise import specialise

_ZERO, _ONE = np.float32(0), np.float32(1)


@cache
def _compiled() -> tuple[Any, Any]:
    """The forward and the backward loop; numba compiles each when it is first called."""
    return specialise(_mix), specialise(_pullback)


def forward(x: Tensor, earlier: Tensor, shares: Tensor, rows: int) -> list[Tensor]:
    """`fused_token_mix` in parts of so many rows."""
    mixed = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(len(shares))]
    inputs = [_rows(tensor) for tensor in (x, earlier, shares)]
    in_parts(partial(_compiled()[0], *inputs, tuple(map(_rows, mixed)), rows), -(-len(inputs[0]) // rows))
    return mixed


def backward(x: Tensor, earlier: Tensor, shares: Tensor, upstream: list[Tensor], rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """`fused_token_mix_backward`."""
    gx, gearlier = (torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(2))
    inputs = [_rows(tensor) for tensor in (x, earlier, shares)]
    parts = -(-len(inputs[0]) // rows)
    gshares = shares.new_empty(parts, *shares.shape)
    outputs = _rows(gx), _rows(gearlier), array(gshares)
    in_parts(partial(_compiled()[1], *inputs, tuple(map(_rows, upstream)), *outputs, rows), parts)
    return gx, gearlier, gshares


def _rows(x: Tensor) -> Any:
    return array(x.flatten(0, -2))


def _mix(x: Any, earlier: Any, shares: Any, mixed: Any, rows: int, first: int, last: int) -> None:
    """Parts first .. last - 1 of every mixture [N, C]."""
    count, columns = x.shape
    for i in range(first * rows, min(last * rows, count)):
        for m in range(len(shares)):
            for j in range(columns):
                mixed[m][i, j] = x[i, j] * shares[m, j] + earlier[i, j] * (_ONE - shares[m, j])


def _pullback(
    x: Any, earlier: Any, shares: Any, upstream: Any, gx: Any, gearlier: Any, gshares: Any, rows: int, first: int, last: int
) -> None:
    """Parts first .. last - 1 of the gradients of x and of earlier [N, C], and of the shares, one for each part [parts, m, C]."""
    count, columns = x.shape
    for part in range(first, last):
        gshares[part] = _ZERO
        for i in range(part * rows, min((part + 1) * rows, count)):
            gx[i], gearlier[i] = _ZERO, _ZERO
            for m in range(len(shares)):
                for j in range(columns):
                    g = upstream[m][i, j]
                    gx[i, j] += g * shares[m, j]
                    gearlier[i, j] += g * (_ONE - shares[m, j])
                    gshares[part, m, j] += g * (x[i, j] - earlier[i, j])
