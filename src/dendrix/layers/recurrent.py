"""Feedback: any stateful layer whose last output is fed back into its input."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..core import State, Stateful, expect, expect_valid, scan


class RecurrentState(NamedTuple):
    """The state of the inner neuron and its last output `y`, [B, C]."""

    inner: State
    y: Tensor


class Recurrent(Stateful):
    """y_t = inner(x_t + feedback(y_{t-1})), [B, T, C] -> [B, T, C].

    Args:
        inner: a neuron of size C.
        feedback: a module [B, C] -> [B, C], usually `nn.Linear(C, C, bias=False)`.
    """

    def __init__(self, inner: Stateful, feedback: nn.Module):
        super().__init__()
        self.inner, self.feedback = inner, feedback

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        before = RecurrentState(None, torch.zeros_like(x_t)) if state is None else state
        y, inner = self.inner.step(x_t + self.feedback(before.y), before.inner)
        return y, RecurrentState(inner, y)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C ...")
        expect_valid(valid, x)
        if state is None:  # `scan` selects between two states, so the inner one must exist before the first step
            rest = self.inner.init_state(x[:, 0])  # type: ignore[operator]
            state = RecurrentState(rest, torch.zeros_like(x[:, 0]))
        return scan(self.step, x, state, valid)
