"""Modules whose memory is an explicit state: `y, state = layer(x, state, valid)`, where None means from rest."""

from torch import Tensor

from .described import Described
from .shapes import expect
from .state import State


class Stateful(Described):
    """A module over time. `step` and `forward` agree: a sequence in one call, in chunks or step by step is the same.

    A subclass gives `forward`, and `arguments` if it is to be saved together with its weights.
    """

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        """One time step: x_t [B, ...] -> y_t [B, ...] and the next state."""
        expect(x_t, "B ...", "x_t")
        y, state = self(x_t.unsqueeze(1), state)
        return y.squeeze(1), state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        """A sequence: x [B, T, ...] -> y [B, T, ...] and the last state. `valid`, bool [B, T], freezes a row where False."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: give it a forward(x, state, valid).")
