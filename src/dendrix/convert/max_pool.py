"""Maximum pooling of spikes by their sums over time."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..core import State, Stateful, expect, expect_floating, expect_instance, expect_state, scan


class MaxPoolState(NamedTuple):
    """Sum of the inputs so far, [B, C, H, W]."""

    total: Tensor


def max_pool_step(x: Tensor, state: MaxPoolState, *, pool: Callable[[Tensor], Tensor]) -> tuple[Tensor, MaxPoolState]:
    """y = max(total + x) - max(total), total <- total + x, so that the sum of y is the maximum of the sums of x.

    Where inputs are 0 or theta, so are outputs: the maximum of sums that grow by at most theta grows by at most theta.

    Args:
        x: spikes, [B, C, H, W].
        state: sums before the step.
        pool: maximum over windows.
    Source: ours; Hu et al. (2018), arXiv 1805.01352, pass the spikes of the neuron with the highest rate so far, an approximation.
    """
    total = state.total + x
    return pool(total) - pool(state.total), MaxPoolState(total)


class SpikingMaxPool(Stateful):
    """Maximum pooling whose rate equals the maximum of the rates in its window at every step: [B, T, C, H, W] -> [B, T, C, H', W'].

    Args:
        pool: an `nn.MaxPool2d`, or another that keeps the first two axes.
    """

    def __init__(self, pool: nn.Module):
        super().__init__()
        self.pool = expect_instance(pool, nn.Module, "pool")

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C ...")
        expect_floating(x)
        expect_state(state, MaxPoolState, x[:, 0].shape)
        state = MaxPoolState(torch.zeros_like(x[:, 0])) if state is None else state
        return scan(max_pool_step, x, state, valid, pool=self.pool)
