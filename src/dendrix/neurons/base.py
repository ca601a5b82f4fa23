"""`Neuron`: a layer whose step is one pure rule; it fills in `step` and `forward` from `rule` and `params()`."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..core import State, Stateful, StepFn, expect, expect_floating, expect_state, scan
from ..errors import InputError


class Neuron(Stateful):
    """A population of neurons: [B, T, C] -> [B, T, C], or [B, T, C, ...] with the parameters shared over the further axes.

    A subclass sets `rule`, `state_type` and `params()`. States are float32, also under bfloat16, and float64 for float64.
    """

    rule: ClassVar[StepFn]
    state_type: ClassVar[type[tuple[Tensor, ...]]]

    def __init__(self, size: int):
        super().__init__()
        if size < 1:
            raise InputError(f"size must be at least 1 neuron, got {size}.")
        self.size = size

    def params(self) -> dict[str, Any]:
        """The keyword arguments of the rule; one-dimensional tensors hold one value per channel."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: give it params().")

    def _params_for(self, x_t: Tensor) -> dict[str, Any]:
        more = [1] * (x_t.dim() - 2)
        return {k: v.view(-1, *more) if isinstance(v, Tensor) and v.dim() == 1 and more else v for k, v in self.params().items()}

    def init_state(self, x_t: Tensor) -> State:
        """The state at rest for inputs like `x_t`, one step [B, C, ...]: its batch size, device and dtype count."""
        dtype = torch.float64 if x_t.dtype == torch.float64 else torch.float32
        rest = torch.zeros_like(x_t, dtype=dtype)
        return self.state_type(*[rest.clone() for _ in self.state_type._fields])  # type: ignore[attr-defined]

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        expect(x_t, "B C ...", "x_t", C=self.size)
        expect_floating(x_t, "x_t")
        expect_state(state, self.state_type, x_t.shape)
        state = self.init_state(x_t) if state is None else state
        y, state = type(self).rule(x_t, state, **self._params_for(x_t))
        return y.to(x_t.dtype), state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C ...", C=self.size)
        expect_floating(x)
        first = x[:, 0]
        expect_state(state, self.state_type, first.shape)
        if state is None:
            state = self.init_state(first)
        return scan(type(self).rule, x, state, valid, **self._params_for(first))

    def extra_repr(self) -> str:
        return f"{self.size}"


class Decay(nn.Module):
    """A decay factor per channel, exp(-dt / tau), trained through log(tau / dt) so that it stays inside (0, 1).

    Args:
        size: number of channels.
        tau_ms: the time constant at the start, in ms.
        dt_ms: the time step, in ms.
        factor: the decay itself, instead of `tau_ms`; 1 - dt / tau is the Euler factor that many libraries use.
        train: whether the time constant is a parameter; otherwise it is a fixed buffer.
    """

    def __init__(self, size: int, tau_ms: float, dt_ms: float, factor: float | None = None, train: bool = True):
        super().__init__()
        if not (0 < tau_ms < math.inf and 0 < dt_ms < math.inf):
            raise InputError(f"tau_ms and dt_ms must be positive, got {tau_ms} and {dt_ms}. For no leak use IF.")
        if factor is not None and not 0 < factor < 1:
            raise InputError(f"decay must lie inside (0, 1), got {factor}. For no leak use IF.")
        steps = tau_ms / dt_ms if factor is None else -1 / math.log(factor)
        log_tau = torch.full((size,), math.log(steps))
        if train:
            self.log_tau = nn.Parameter(log_tau)
        else:
            self.register_buffer("log_tau", log_tau)

    def forward(self) -> Tensor:
        """The decay per channel, [C]."""
        return torch.exp(-torch.exp(-self.log_tau))
