"""Adaptive LIF neurons, with a second, slow state variable."""

from typing import Any, NamedTuple

from torch import Tensor

from ..core import Boxcar, expect_each
from .base import Decay, Neuron, PerNeuron, Spike


class AdLIFState(NamedTuple):
    """Membrane potential `u`, adaptation `w` and last spikes `s`, each [B, C, ...]."""

    u: Tensor
    w: Tensor
    s: Tensor


def adlif_step(
    x: Tensor,
    state: AdLIFState,
    *,
    decay: Tensor,
    decay_w: Tensor,
    a: Tensor,
    b: Tensor,
    v_threshold: Tensor | float = 1.0,
    spike: Spike,
) -> tuple[Tensor, AdLIFState]:
    """Compute one time step of adaptive LIF neurons.

    w <- decay_w * w + a * u + b * s
    u <- decay * (u - v_threshold * s) + (1 - decay) * (x - w)
    s <- [u >= v_threshold]

    Args:
        x: input current, [B, C, ...].
        state: state before the step.
        decay, decay_w: exp(-dt / tau) of membrane and adaptation, [C], in (0, 1).
        a: coupling of the membrane into the adaptation, [C].
        b: increment of the adaptation at a spike, [C].
        v_threshold: firing threshold; a spike subtracts it from the membrane.
        spike: Heaviside step with a surrogate gradient; gradients pass through the reset.
    Returns:
        spikes [B, C, ...] in {0, 1}, and the next state.
    Source: Bittar & Garner (2022), "A surrogate gradient spiking baseline for speech command recognition", equations 5-7.
    """
    w = decay_w * state.w + a * state.u + b * state.s
    u = decay * (state.u - v_threshold * state.s) + (1 - decay) * (x - w)
    s = spike(u - v_threshold)
    return s, AdLIFState(u, w, s)


class AdLIF(Neuron):
    """Adaptive LIF neurons, [B, T, C] -> spikes [B, T, C]. Both time constants, `a` and `b` are trained, one per neuron.

    The initial values and the threshold may be one value or one per neuron, as in `LIF`. Equations: `adlif_step`.

    Args:
        size: number of neurons (channels).
        tau_ms, tau_w_ms: initial time constants of membrane and adaptation, in ms.
        dt_ms: time step, in ms.
        a, b: initial coupling of the membrane into the adaptation, and initial increment of the adaptation at a spike.
        v_threshold: firing threshold.
        spike: Heaviside step with a surrogate gradient.
    """

    rule = staticmethod(adlif_step)
    state_type = AdLIFState
    a: Tensor
    b: Tensor

    def __init__(
        self,
        size: int,
        tau_ms: PerNeuron = 10.0,
        tau_w_ms: PerNeuron = 60.0,
        dt_ms: float = 1.0,
        *,
        a: PerNeuron = 0.1,
        b: PerNeuron = 0.5,
        v_threshold: PerNeuron = 1.0,
        spike: Spike = Boxcar(),
    ):
        super().__init__(size)
        self.decay = Decay(size, tau_ms, dt_ms)
        self.decay_w = Decay(size, tau_w_ms, dt_ms, name="tau_w_ms")
        for name, value in (("a", a), ("b", b)):
            self.register_exact(name, expect_each(value, self.size, "(-inf, inf)", name), self.size, train=True)
        self.hold(v_threshold=v_threshold, spike=spike)

    def params(self) -> dict[str, Any]:
        return dict(decay=self.decay(), decay_w=self.decay_w(), a=self.a, b=self.b, **self.constants)

    def learned(self) -> dict[str, Any]:
        return dict(**super().learned(), a=self.a, b=self.b)

    def arguments(self) -> dict[str, Any]:
        leaks = dict(tau_ms=self.decay.tau_ms, tau_w_ms=self.decay_w.tau_ms, dt_ms=self.decay.dt_ms)
        return dict(size=self.size, **leaks, a=self._exact["a"], b=self._exact["b"], **self.plain())
