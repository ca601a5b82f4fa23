"""Recurrent connections: neurons with feedback of their last output."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..checks import shown
from ..core import State, Stateful, expect, expect_dtype, expect_floating, expect_state, scan
from ..errors import InputError, InputTypeError
from ..neurons import Neuron


class RecurrentState(NamedTuple):
    """State of the inner neurons, and their last output `y`, [B, C]."""

    inner: State
    y: Tensor


class Recurrent(Stateful):
    """Neurons with feedback, [B, T, C] -> [B, T, C]: y_t = inner(x_t + feedback(y_{t-1})).

    Args:
        inner: C neurons.
        feedback: a module [B, C] -> [B, C], usually `nn.Linear(C, C, bias=False)`.
    """

    def __init__(self, inner: Neuron, feedback: nn.Module):
        super().__init__()
        self.inner, self.feedback = expect_neurons(inner), feedback
        if not isinstance(feedback, nn.Module) or isinstance(feedback, Stateful):
            raise InputTypeError(
                f"feedback: expected a module such as nn.Linear, got {type(feedback).__name__}. Pass a module [B, C] -> [B, C]."
            )

    def init_state(self, x_t: Tensor) -> RecurrentState:
        """Return the initial state for inputs with the batch size, device and dtype of `x_t`, one step [B, C]."""
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
        """Check a state, or return the initial one for None."""
        expect_floating(x_t)
        if (weight := next(self.feedback.parameters(), None)) is not None:
            expect_dtype(x_t, weight)
        if state is None:
            return self.init_state(x_t)
        if not isinstance(state, RecurrentState):
            raise InputError(f"state: expected RecurrentState, got {type(state).__name__}. Pass the state returned by the previous call.")
        expect_state(state.y, Tensor, x_t.shape)
        return state

    def arguments(self) -> dict[str, Any]:
        return dict(inner=self.inner, feedback=self.feedback)


def expect_neurons(inner: Neuron) -> Neuron:
    """Check that an argument is a `Neuron`."""
    if not isinstance(inner, Neuron):
        came = shown(inner) if isinstance(inner, int) else type(inner).__name__
        raise InputTypeError(f"inner: expected neurons such as LIF(128), got {came}. Pass a Neuron.")
    return inner
