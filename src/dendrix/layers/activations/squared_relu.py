"""The square of a ReLU."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def squared_relu(x: Tensor) -> Tensor:
    """max(x, 0)^2. The same numbers as `torch.relu(x) ** 2`, with half of its passes over memory.

    Source: So et al., Primer (arXiv 2109.08668).
    """
    y: Tensor = _SquaredReLU.apply(x)  # type: ignore[no-untyped-call]
    return y


class _SquaredReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        return positive * positive

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        gradient: Tensor = upstream * positive
        return gradient.mul_(2)
