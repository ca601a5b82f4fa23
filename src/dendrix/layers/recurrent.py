"""Feedback: neurons whose last output is fed back into their input."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..core import State, Stateful, expect, expect_floating, expect_state, scan
from ..errors import InputError
from ..neurons import Neuron


class RecurrentState(NamedTuple):
    """The state of the inner neuron and its last output `y`, [B, C]."""

    inner: State
    y: Tensor


class Recurrent(Stateful):
    """y_t = inner(x_t + feedback(y_{t-1})), [B, T, C] -> [B, T, C].

    Args:
        inner: C neurons.
        feedback: a module [B, C] -> [B, C], usually `nn.Linear(C, C, bias=False)`.
    """

    def __init__(self, inner: Neuron, feedback: nn.Module):
        super().__init__()
        self.inner, self.feedback = inner, feedback

    def init_state(self, x_t: Tensor) -> RecurrentState:
        """The state at rest for inputs like `x_t`, one step [B, C]."""
        return RecurrentState(self.inner.init_state(x_t), torch.zeros_like(x_t))

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        expect(x_t, "B C ...", "x_t")
        before = self._checked(state, x_t)
        y, inner = self.inner.step(x_t + self.feedback(before.y), before.inner)
        return y, RecurrentState(inner, y)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C ...")
        return scan(self.step, x, self._checked(state, x[:, 0]), valid)

    def _checked(self, state: State, x_t: Tensor) -> RecurrentState:
        """The state itself, or the one at rest."""
        expect_floating(x_t)
        if state is None:
            return self.init_state(x_t)
        if not isinstance(state, RecurrentState):
            raise InputError(f"state: expected RecurrentState, got {type(state).__name__}. Pass what the last call returned.")
        expect_state(state.y, Tensor, x_t.shape)
        return state
