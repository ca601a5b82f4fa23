"""Modules in a row, with their states threaded through."""

from typing import Any

from torch import Tensor, nn

from ..core import State, Stateful
from ..errors import InputError, InputTypeError


class Sequential(Stateful):
    """Run modules one after another over [B, T, ...]. State: a tuple with one entry per module, `()` for a stateless one.

    A plain `nn.Module` (a Linear, say) is applied to whole sequences and must act on each time step by itself.
    """

    def __init__(self, *modules: nn.Module):
        super().__init__()
        for position, module in enumerate(modules):
            if not isinstance(module, nn.Module):
                raise InputTypeError(
                    f"modules: expected modules, got {module!r} at position {position}. Pass Sequential(first, second, ...)."
                )
        self.stages = nn.ModuleList(modules)

    def arguments(self) -> dict[str, Any]:
        """The modules under the key `"*"`; a subclass with a constructor of its own says for itself."""
        return {"*": list(self.stages)} if type(self).__init__ is Sequential.__init__ else super().arguments()

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        after = []
        for stage, part in zip(self.stages, self._parts(state), strict=True):
            if isinstance(stage, Stateful):
                x_t, part = stage.step(x_t, part)
            else:
                x_t, part = stage(x_t.unsqueeze(1)).squeeze(1), ()
            after.append(part)
        return x_t, tuple(after)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        after = []
        for stage, part in zip(self.stages, self._parts(state), strict=True):
            if isinstance(stage, Stateful):
                x, part = stage(x, part, valid)
            else:
                x, part = stage(x), ()
            after.append(part)
        return x, tuple(after)

    def _parts(self, state: State) -> tuple[State, ...]:
        """The state of every stage."""
        if state is None:
            return (None,) * len(self.stages)
        if isinstance(state, tuple) and len(state) == len(self.stages):
            return state
        came = f"{len(state)}" if isinstance(state, tuple) else type(state).__name__
        raise InputError(f"state: expected a tuple of {len(self.stages)} states, got {came}. Pass the state returned by the previous call.")
