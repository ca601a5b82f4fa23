"""Neurons of NIR, in every variant that a simulator makes of them: one step with free coefficients."""

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..core import ATan, expect_count, expect_flag, expect_function, expect_in, expect_one_of
from ..errors import InputError
from .base import Neuron, Spike

Fires = Literal[">", ">=", "floor"]
Coefficient = Tensor | float | None


class MembraneState(NamedTuple):
    """The membrane potential `v`, [B, C, ...], in the units of the threshold."""

    v: Tensor


class SynapseState(NamedTuple):
    """Synaptic current `i` and membrane potential `v`, each [B, C, ...]."""

    i: Tensor
    v: Tensor


def membrane_step(
    x: Tensor, state: MembraneState, *, beta: Tensor, q: Coefficient, c: Coefficient, grid: float | None, **firing: Any
) -> tuple[Tensor, MembraneState]:
    """Advance a membrane by one time step.

    h = beta v + q x + c, and then as in `fire`

    Args:
        x: input, [B, C, ...].
        state: the membrane before the step.
        beta, q, c: one value or one per neuron; None is 1 for q and 0 for c.
        grid: the product with beta is truncated towards zero to a multiple of this; None: not at all.
        **firing: see `fire`.
    Returns:
        y [B, C, ...] and the next state.
    Source: the equations of NIR (Pedersen et al. 2024, arXiv 2311.14641), table 1, in discrete time.
    """
    y, v = fire(_sum(_truncated(beta * state.v, grid), _times(q, x), c), **firing)
    return y, MembraneState(v)


def synapse_step(
    x: Tensor,
    state: SynapseState,
    *,
    alpha: Tensor,
    g: Coefficient,
    p: Tensor,
    beta: Tensor,
    q: Coefficient,
    c: Coefficient,
    grid: float | None,
    **firing: Any,
) -> tuple[Tensor, SynapseState]:
    """Advance a synapse and a membrane by one time step.

    i <- alpha i + g x
    h = beta v + p i + q x + c with the i from before the step, and then as in `fire`

    Args:
        x: input, [B, C, ...].
        state: current and membrane before the step.
        alpha, g, p, beta, q, c: one value or one per neuron; None is 1 for g and q and 0 for c.
        grid: the products with alpha and beta are truncated towards zero to multiples of this; the membrane then gets the new current.
        **firing: see `fire`.
    Returns:
        y [B, C, ...] and the next state.
    Source: the equations of NIR (Pedersen et al. 2024, arXiv 2311.14641), table 1, in discrete time.
    """
    i = _sum(_truncated(alpha * state.i, grid), _times(g, x))
    current = p * state.i + _times(q, x) if grid is None else i
    y, v = fire(_sum(_truncated(beta * state.v, grid), current, c), **firing)
    return y, SynapseState(i, v)


def fire(
    h: Tensor,
    *,
    v_threshold: Tensor | None,
    v_reset: Tensor | None,
    rho: Tensor | None,
    v_min: Tensor | None,
    fires: Fires,
    detach_reset: bool,
    spike: Spike,
) -> tuple[Tensor, Tensor]:
    """Spikes and the membrane after them.

    s = [h > v_threshold], [h >= v_threshold], or floor(h / v_threshold) where h > 0
    v = v_reset where s, else h (hard reset), or h - s rho (soft reset, `v_reset` None); then max(v, v_min)

    Args:
        h: the membrane before the reset, [B, C, ...].
        v_threshold: firing threshold; None for an integrator, which outputs h.
        v_reset, rho: the membrane after a spike, or what a spike takes from it.
        v_min: lower bound of the membrane.
        fires: ">", ">=" or "floor", which may send several spikes in a step.
        detach_reset: whether the gradient is cut where the spike acts on the reset.
        spike: Heaviside step with a surrogate gradient.
    Returns:
        the output, and the next membrane.
    """
    if v_threshold is None:
        return h, h
    # [h > threshold] is 1 - [threshold - h >= 0]; surrogates are even, so the gradient is the same.
    s = 1 - spike(v_threshold - h) if fires == ">" else spike(h - v_threshold)
    if fires == "floor":
        s = s + (torch.floor(h / v_threshold).clamp_min(0) - s).detach()
    cut = s.detach() if detach_reset else s
    v = (1 - cut) * h + cut * v_reset if v_reset is not None else h if rho is None else h - cut * rho
    return s, v if v_min is None else torch.maximum(v, v_min)


def _sum(first: Tensor, *others: Tensor | float | None) -> Tensor:
    for other in others:
        first = first if other is None else first + other
    return first


def _times(factor: Coefficient, x: Tensor) -> Tensor:
    return x if factor is None else factor * x


def _truncated(x: Tensor, grid: float | None) -> Tensor:
    return x if grid is None else torch.trunc(x / grid) * grid


class NIRNeuron(Neuron):
    """Neurons with free coefficients, [B, T, C, ...] -> [B, T, C, ...]. The equations are those of `synapse_step` and `fire`.

    Every coefficient is one number, or an array with the shape of a step, [C, ...]. They are buffers, and no parameters: a dialect's
    arithmetic stays what it is while the weights around it train.

    Args:
        size: C, the number of neurons, or of channels of a map.
        beta, q, c: of the membrane.
        alpha, g, p: of the synapse; without `alpha` there is none.
        v_threshold: firing threshold; None for an integrator.
        v_reset: membrane after a spike; None subtracts `rho` instead.
        rho: what a spike takes from the membrane; by default the threshold.
        v_min: lower bound of the membrane.
        fires, detach_reset, spike: see `fire`.
        grid: truncates products, see `synapse_step`.
        dt_ms: time step that the coefficients belong to, in ms, for an export; None: unknown.
    """

    def __init__(
        self,
        size: int,
        *,
        beta: ArrayLike = 0.9,
        q: ArrayLike = 1.0,
        c: ArrayLike = 0.0,
        alpha: ArrayLike | None = None,
        g: ArrayLike = 1.0,
        p: ArrayLike = 1.0,
        v_threshold: ArrayLike | None = 1.0,
        v_reset: ArrayLike | None = 0.0,
        rho: ArrayLike | None = None,
        v_min: ArrayLike | None = None,
        fires: Fires = ">",
        grid: float | None = None,
        detach_reset: bool = True,
        spike: Spike = ATan(),
        dt_ms: float | None = None,
    ):
        super().__init__(expect_count(size, "[1, inf)", "size"))
        self.dt_ms = None if dt_ms is None else expect_in(dt_ms, "(0, inf)", "dt_ms")
        self.rule = membrane_step if alpha is None else synapse_step
        self.state_type = MembraneState if alpha is None else SynapseState  # type: ignore[misc]
        if v_reset is None and rho is None:
            rho = v_threshold
        given = dict(beta=beta, q=q, c=c, alpha=alpha, g=g, p=p, v_threshold=v_threshold, v_reset=v_reset, rho=rho, v_min=v_min)
        self._shapes = {name: self._keep(name, value) for name, value in given.items() if value is not None}
        self._settings = dict(
            fires=expect_one_of(fires, (">", ">=", "floor"), "fires"),
            grid=None if grid is None else expect_in(grid, "(0, inf)", "grid"),
            detach_reset=expect_flag(detach_reset, "detach_reset"),
            spike=expect_function(spike, "spike", "ATan()"),
        )

    def _keep(self, name: str, value: ArrayLike) -> tuple[int, ...]:
        """Register a coefficient as a buffer, a scalar where all are equal, and return its shape."""
        array = np.asarray(value, np.float64)
        if not np.isfinite(array).all() or (array.ndim and array.shape[0] not in (1, self.size)):
            raise InputError(
                f"{name}: expected finite numbers, one or [{self.size}, ...], got {list(array.shape)}. Give one for each neuron."
            )
        if array.size == 1 or (array == array.flat[0]).all():
            self.register_exact(name, float(array.flat[0]))
            return ()
        self.register_exact(name, tuple(array.ravel().tolist()), array.size)
        return array.shape

    def _value(self, name: str) -> Tensor | None:
        return self.get_buffer(name).view(self._shapes[name]) if name in self._shapes else None

    def params(self) -> dict[str, Any]:
        names = ["beta", "q", "c", "v_threshold", "v_reset", "rho", "v_min"]
        names += [] if self.rule is membrane_step else ["alpha", "g", "p"]
        plain = {"q": 1.0, "g": 1.0, "c": 0.0}  # left out of the step
        return {name: None if self._exact.get(name) == plain.get(name) else self._value(name) for name in names} | self._settings

    def arguments(self) -> dict[str, Any]:
        found = {name: np.reshape(self._exact[name], shape).tolist() for name, shape in self._shapes.items()}
        return {"size": self.size, "v_threshold": None, "v_reset": None, **found, **self._settings, "dt_ms": self.dt_ms}
