"""The continuous equations of NIR, solved within each step: a reference for traces. It has no gradient."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..core import expect_in
from ..errors import InputError
from ..neurons import Neuron
from ..neurons.nir import MembraneState


def crossing_step(
    x: Tensor, state: MembraneState, *, dt: float, tau: Tensor, r: Tensor, v_leak: Tensor, v_threshold: Tensor, v_reset: Tensor
) -> tuple[Tensor, MembraneState]:
    """Advance a leaky integrate-and-fire neuron by one step with constant input, and its spikes at the moments where they occur.

    u = v_leak + r x
    v(t) = u + (v - u) exp(-t / tau), which meets v_threshold after tau log((v - u) / (v_threshold - u)), and then starts at v_reset

    Args:
        x: input, [B, C], constant over the step.
        state: the membrane before the step.
        dt, tau: in s; r, v_leak, v_threshold, v_reset: as NIR has them.
    Returns:
        1 where the neuron fired, [B, C], and the next state.
    Source: the equations of NIR (Pedersen et al. 2024, arXiv 2311.14641), table 1.
    """
    u = v_leak + r * x
    fires = u > v_threshold  # otherwise the membrane never gets there
    above = torch.where(fires, u - v_threshold, 1)
    first = tau * torch.log(torch.where(fires, u - state.v, 1) / above)
    period = tau * torch.log(torch.where(fires, u - v_reset, 1) / above)
    fires = fires & (first <= dt)
    rest = torch.where(fires, (dt - first).remainder(period.clamp_min(1e-30)), dt)
    start = torch.where(fires, v_reset, state.v)
    return fires.to(x.dtype), MembraneState(u + (start - u) * torch.exp(-rest / tau))


class _Constants(NamedTuple):
    tau: Tensor
    r: Tensor
    v_leak: Tensor
    v_threshold: Tensor
    v_reset: Tensor


class ExactLIF(Neuron):
    """LIF neurons in continuous time, [B, T, C] -> [B, T, C]. `crossing_step` has the equations.

    Args:
        size: C, the number of neurons.
        dt: time step, in s.
        tau: time constants, in s.
        r, v_leak, v_threshold, v_reset: as NIR has them, one value or one per neuron.
    """

    rule = staticmethod(crossing_step)
    state_type = MembraneState

    def __init__(
        self,
        size: int,
        dt: float = 1e-3,
        tau: ArrayLike = 1e-2,
        r: ArrayLike = 1.0,
        v_leak: ArrayLike = 0.0,
        v_threshold: ArrayLike = 1.0,
        v_reset: ArrayLike = 0.0,
    ):
        super().__init__(size)
        self.dt = expect_in(dt, "(0, inf)", "dt")
        given = _Constants._fields
        for name, value in zip(given, (tau, r, v_leak, v_threshold, v_reset), strict=True):
            array = np.asarray(value, np.float64).ravel()
            if array.size not in (1, size):
                raise InputError(f"{name}: expected one number or {size}, got {array.size}. Give one for each neuron.")
            self.register_exact(name, tuple(array.tolist()), array.size)

    def params(self) -> dict[str, Any]:
        return {"dt": self.dt} | {name: self.get_buffer(name) for name in _Constants._fields}

    def arguments(self) -> dict[str, Any]:
        return dict(size=self.size, dt=self.dt, **{name: list(self._exact[name]) for name in _Constants._fields})  # type: ignore[arg-type]
