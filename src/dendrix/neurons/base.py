"""Base class of the neuron layers, and the decay factors that they train."""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core import (
    Described,
    State,
    Stateful,
    StepFn,
    expect,
    expect_count,
    expect_each,
    expect_flag,
    expect_floating,
    expect_function,
    expect_in,
    expect_state,
    scan,
)
from ..errors import InputError

PerNeuron = float | Sequence[float] | NDArray[Any] | Tensor
"""One value for all neurons, or one per neuron."""

Spike = Callable[[Tensor], Tensor]
"""Heaviside step with a surrogate gradient."""


class Neuron(Stateful):
    """Base class of neuron layers: [B, T, C] -> [B, T, C], or [B, T, C, ...] with parameters shared over the further axes.

    A subclass defines `rule`, `state_type` and `params()`; this class implements `step` and `forward`. States are float32 for float32 and
    narrower inputs, and float64 for float64.
    """

    rule: StepFn
    state_type: ClassVar[type[tuple[Tensor, ...]]]

    def __init__(self, size: int):
        super().__init__()
        self.size = expect_count(size, "[1, inf)", "size")
        self._constants: dict[str, Any] = {}
        self._by_neuron: list[str] = []

    def params(self) -> dict[str, Any]:
        """Return the keyword arguments of the rule; one-dimensional tensors hold one value per channel."""
        raise NotImplementedError(f"{type(self).__name__} is abstract. Define params() in the subclass.")

    @property
    def constants(self) -> dict[str, Any]:
        """Arguments of the rule that are not trained: numbers, flags, the surrogate, and tensors [] or [C]."""
        return self._constants | {name: getattr(self, name) for name in self._by_neuron}

    def hold(self, *, spike: Spike, **given: PerNeuron | None) -> None:
        """Check and store the constants of the rule.

        Args:
            spike: Heaviside step with a surrogate gradient.
            **given: flags, numbers, and None for `v_reset`. A sequence, array or tensor with one number or one per neuron is registered as
                a buffer of that name, and is thus part of the `state_dict`.
        """
        for name, value in given.items():
            if name == "v_reset" and value is None:
                self._constants[name] = None
            elif name in ("detach_reset", "scale_input"):
                self._constants[name] = expect_flag(value, name)
            else:
                kept = self.each(name, value, "(0, inf)" if name == "v_threshold" else "(-inf, inf)")
                self._constants[name] = None if isinstance(kept, Tensor) else kept
                self._by_neuron += [name] if isinstance(kept, Tensor) else []
        self._constants["spike"] = expect_function(spike, "spike", "ATan()")
        self._check()

    def each(self, name: str, value: PerNeuron | None, interval: str = "(-inf, inf)") -> float | Tensor:
        """Check a value. A number is returned; a sequence, array or tensor is registered as a buffer of this name, [] or [C]."""
        plain = expect_each(value, self.size, interval, name)
        if not isinstance(plain, tuple):
            return plain
        self.register_exact(name, *((plain[0],) if len(plain) == 1 else (plain, self.size)))
        return self.get_buffer(name)

    def plain(self, *names: str) -> dict[str, Any]:
        """Return the attributes of these names and the constants for `arguments`, with tensors as lists."""
        found = {name: getattr(self, name) for name in names} | self.constants
        return {name: value.reshape(-1).tolist() if isinstance(value, Tensor) else value for name, value in found.items()}

    def learned(self) -> dict[str, Any]:
        return {name: value for part in self.children() if isinstance(part, Decay) for name, value in part.learned().items()}

    def init_state(self, x_t: Tensor) -> State:
        """Return the initial state for inputs with the batch size, device and dtype of `x_t`, one step [B, C, ...]."""
        dtype = torch.float64 if x_t.dtype == torch.float64 else torch.float32
        rest = torch.zeros_like(x_t, dtype=dtype)
        return self.state_type(*[rest.clone() for _ in self.state_type._fields])  # type: ignore[attr-defined]

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        expect(x_t, "B C ...", "x_t", C=self.size)
        expect_floating(x_t, "x_t")
        expect_state(state, self.state_type, x_t.shape)
        state = self.init_state(x_t) if state is None else state
        y, state = self.rule(x_t, state, **self._params_for(x_t))
        return y.to(x_t.dtype), state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C ...", C=self.size)
        expect_floating(x)
        first = x[:, 0]
        expect_state(state, self.state_type, first.shape)
        if state is None:
            state = self.init_state(first)
        return scan(self.rule, x, state, valid, **self._params_for(first))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def _params_for(self, x_t: Tensor) -> dict[str, Any]:
        return {name: by_channel(value, x_t) if isinstance(value, Tensor) else value for name, value in self.params().items()}

    def _check(self) -> None:
        """Check that thresholds are positive and resets below them, after construction and after loading."""
        found = [self.constants.get(name) for name in ("v_threshold", "v_reset")]
        if any(isinstance(value, Tensor) and value.is_meta for value in found):
            return
        threshold, reset = (value.tolist() if isinstance(value, Tensor) else value for value in found)
        if isinstance(found[0], Tensor):
            expect_each(threshold, self.size, "(0, inf)", "v_threshold")
        if threshold is None or reset is None:
            return
        low, high = np.broadcast_arrays(reset, threshold)
        if (wrong := ~(low < high)).any():
            raise InputError(
                f"v_reset: expected less than v_threshold, got {low[wrong][0]:.6g} where that is {high[wrong][0]:.6g}. "
                "Lower it: a neuron that is reset to its threshold fires at every step."
            )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._check()


def by_channel(value: Tensor, x_t: Tensor) -> Tensor:
    """Reshape one value per channel, [C], to broadcast with a step x_t [B, C, ...]; a scalar is returned as it is."""
    return value.view(-1, *[1] * (x_t.dim() - 2)) if value.dim() == 1 and x_t.dim() > 2 else value


def filled(rest: Tensor, value: float | Tensor) -> Tensor:
    """Return an initial membrane with the shape of `rest`, [B, C, ...], from one value or one per channel."""
    if isinstance(value, Tensor):
        return (rest + by_channel(value, rest)).to(rest.dtype)
    return torch.full_like(rest, value)


class Decay(Described):
    """Decay factor per channel, exp(-dt / tau). The parameter is log(tau / dt), which keeps the factor in (0, 1).

    Args:
        size: number of channels.
        tau_ms: initial time constant, in ms, one value or one per channel.
        dt_ms: time step, in ms.
        factor: initial decay factor, instead of `tau_ms`; 1 - dt / tau is the Euler factor that many libraries use.
        train: True for a parameter, False for a fixed buffer.
        name: name of the time constant in the constructor of the neuron.
    """

    log_tau: Tensor

    def __init__(
        self, size: int, tau_ms: PerNeuron, dt_ms: float, factor: PerNeuron | None = None, train: bool = True, name: str = "tau_ms"
    ):
        super().__init__()
        advice = "For no leak use IF."
        self.size, self.name = expect_count(size, "[1, inf)", "size"), name
        self.tau_ms = expect_each(tau_ms, self.size, "(0, inf)", name, advice)
        self.dt_ms = expect_in(dt_ms, "(0, inf)", "dt_ms")
        self.factor = None if factor is None else expect_each(factor, self.size, "(0, 1)", "decay", advice)
        self.trained = expect_flag(train, "train_tau")
        self.register_exact("log_tau", self._log_steps(), self.size, train)

    def _log_steps(self) -> float | tuple[float, ...]:
        """Return the initial log(tau / dt)."""
        if self.factor is None:
            return _map(lambda tau: math.log(tau / self.dt_ms), self.tau_ms)
        return _map(lambda factor: math.log(-1 / math.log(factor)), self.factor)

    def forward(self) -> Tensor:
        """Return the decay factor per channel, [C]."""
        # Below -10 the decay is zero in every dtype. Without the bound its gradient would be 0 * inf = NaN.
        return torch.exp(-torch.exp(-self.log_tau.clamp_min(-10)))

    def arguments(self) -> dict[str, Any]:
        leak = dict(tau_ms=self.tau_ms, dt_ms=self.dt_ms, factor=self.factor)
        return dict(size=self.size, **leak, train=self.trained, name=self.name)

    def learned(self) -> dict[str, Any]:
        now = {self.name: self.dt_ms * self.log_tau.detach().exp()}
        return now if self.factor is None else now | {"decay": self().detach()}


def _map(fn: Callable[[float], float], value: float | tuple[float, ...]) -> float | tuple[float, ...]:
    return tuple(map(fn, value)) if isinstance(value, tuple) else fn(value)
