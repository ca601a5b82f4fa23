"""Squared ReLU."""

from typing import Any

import torch
from torch import Tensor

from ...core.dispatch import transform


def squared_relu(x: Tensor) -> Tensor:
    """Compute max(x, 0)^2, bitwise equal to `torch.relu(x) ** 2` with half of the memory traffic.

    Source: So et al., Primer (arXiv 2109.08668).
    """
    if transform():
        return x.relu().square()
    square: Tensor = _SquaredReLU.apply(x)[0]  # type: ignore[no-untyped-call]
    return square


class _SquaredReLU(torch.autograd.Function):
    """Squared ReLU and ReLU. The backward pass reads the ReLU, which must be an output for second derivatives."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        positive = x.relu()
        ctx.save_for_backward(positive)
        ctx.set_materialize_grads(False)
        return positive * positive, positive

    @staticmethod
    def backward(ctx: Any, of_square: Tensor | None, of_positive: Tensor | None) -> Tensor | None:
        (positive,) = ctx.saved_tensors
        gradient: Tensor | None = None if of_square is None else (of_square * positive).mul_(2)
        if of_positive is None:
            return gradient
        passed: Tensor = of_positive * (positive > 0)
        return passed if gradient is None else gradient + passed
