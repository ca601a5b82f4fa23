"""Base class of modules with explicit state: `y, state = layer(x, state, valid)`."""

from typing import NoReturn

from torch import Tensor

from ..errors import InputError
from .described import Described
from .shapes import expect
from .state import State


class Stateful(Described):
    """Base class of modules over time. A sequence gives the same result in one call, in chunks, or step by step.

    A subclass defines `forward`, and `arguments` if `dendrix.load` is to create it. The state None stands for the initial state.
    """

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Compute one time step: x_t [B, ...] -> y_t [B, ...] and the next state."""
        expect(x_t, "B ...", "x_t")
        y, state = self(x_t.unsqueeze(1), state)
        return y.squeeze(1), state

    def reset(self) -> NoReturn:
        """Not needed: a module stores no state between calls.

        Raises:
            InputError: always, for users of libraries where a reset is necessary.
        """
        raise InputError(
            f"{type(self).__name__}.reset: expected no reset, because the state is an argument. Call y, state = layer(x) to start from "
            "rest, and layer(x, state) to go on."
        )

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        """Compute a sequence: x [B, T, ...] -> y [B, T, ...] and the last state.

        Steps where `valid`, bool [B, T], is False output zero and do not change the state.
        """
        raise NotImplementedError(f"{type(self).__name__} is abstract. Define forward(x, state, valid) in the subclass.")
