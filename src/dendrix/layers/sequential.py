"""Sequence of modules with explicit state."""

from typing import Any

from torch import Tensor, nn

from ..core import State, Stateful
from ..errors import InputError, InputTypeError

_CONVOLUTIONS = (
    nn.modules.conv._ConvNd,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
)
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm, nn.GroupNorm)


def _mixes_steps(module: nn.Module) -> str:
    """Return what to use instead of a module of torch that takes axis 1, which is time here, for channels; else nothing."""
    if isinstance(module, _NORMS):
        return "Use dendrix.BatchNorm, which normalises channels over valid steps."
    if isinstance(module, _CONVOLUTIONS):
        return "Wrap it: dendrix.layers.PerStep(module) applies it to each step; for time, use a layer with delays."
    if isinstance(module, nn.Softmax | nn.LogSoftmax | nn.Softmin) and module.dim in (None, 0, 1):
        return "Use dim=-1, the classes."
    return "Use nn.Flatten(2)." if isinstance(module, nn.Flatten) and module.start_dim in (0, 1) else ""


class Sequential(Stateful):
    """Apply modules in sequence to x [B, T, ...]. State: a tuple with one entry per module, `()` for a module without state.

    A torch module such as `nn.Linear` is applied to the whole sequence and must treat time steps independently.
    """

    def __init__(self, *modules: nn.Module):
        super().__init__()
        for position, module in enumerate(modules):
            if not isinstance(module, nn.Module):
                raise InputTypeError(
                    f"modules: expected modules, got {module!r} at position {position}. Pass Sequential(first, second, ...)."
                )
            if advice := _mixes_steps(module):
                raise InputError(
                    f"modules: expected modules that treat time steps independently, got {type(module).__name__} at position {position}, "
                    f"whose axis 1 would be time. {advice}"
                )
        self.stages = nn.ModuleList(modules)

    def arguments(self) -> dict[str, Any]:
        """Return the modules under the key `"*"`. A subclass with another constructor must override this method."""
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
        """Return the state of every stage."""
        if state is None:
            return (None,) * len(self.stages)
        if isinstance(state, tuple) and len(state) == len(self.stages):
            return state
        came = f"{len(state)}" if isinstance(state, tuple) else type(state).__name__
        raise InputError(f"state: expected a tuple of {len(self.stages)} states, got {came}. Pass the state returned by the previous call.")
