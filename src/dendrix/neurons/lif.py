"""Leaky integrate-and-fire (LIF) neurons, with the variants of the published networks."""

from typing import Any, NamedTuple

from torch import Tensor

from ..core import ATan, State
from .base import Decay, Neuron, PerNeuron, Spike, filled


class LIFState(NamedTuple):
    """Membrane potential `v`, [B, C, ...], in units of the threshold."""

    v: Tensor


def lif_step(
    x: Tensor,
    state: LIFState,
    *,
    decay: Tensor | float,
    v_threshold: Tensor | float = 1.0,
    v_reset: Tensor | float | None = None,
    detach_reset: bool = True,
    scale_input: bool = False,
    amplitude: Tensor | float = 1.0,
    spike: Spike,
) -> tuple[Tensor, LIFState]:
    """Compute one time step of leaky integrate-and-fire neurons.

    h = decay * v + x, or h = v + (1 - decay) * (x - v) with `scale_input`
    s = [h >= v_threshold]
    v <- (1 - s) * h + s * v_reset (hard reset), or v <- h - s * v_threshold (soft reset, `v_reset` None)
    y = amplitude * s

    Args:
        x: input current, [B, C, ...], in units of the threshold.
        state: state before the step.
        decay: exp(-dt / tau), dimensionless, 0 < decay <= 1, one value or one per channel.
        v_threshold: firing threshold, one value or one per channel; a membrane equal to it fires.
        v_reset: membrane after a spike, one value or one per channel; None subtracts the threshold instead.
        detach_reset: pass no gradient through the reset.
        scale_input: scale the input by 1 - decay, so that the steady state equals x.
        amplitude: value of an output spike, one value or one per channel.
        spike: Heaviside step with a surrogate gradient, applied to h - v_threshold.
    Returns:
        y [B, C, ...] in {0, amplitude}, and the next state. Inputs are never modified.
    Source: Gerstner et al., Neuronal Dynamics (2014), section 1.3. DCLS-Delays (arXiv 2306.17670): hard reset, detached,
        ATan(5). SpikeGPT (arXiv 2302.13939): `scale_input`, hard reset, not detached, ATan(2). QCFS (arXiv 2303.04347):
        no leak, soft reset, initial membrane v_threshold / 2, amplitude v_threshold.
    """
    # v + (1 - decay) * (x - v) in this order, to equal the released SpikeGPT bit by bit.
    h = state.v + (1 - decay) * (x - state.v) if scale_input else decay * state.v + x
    s = spike(h - v_threshold)
    cut = s.detach() if detach_reset else s
    v = h - cut * v_threshold if v_reset is None else (1 - cut) * h + cut * v_reset
    return s * amplitude, LIFState(v)


class LIF(Neuron):
    """Leaky integrate-and-fire neurons, [B, T, C] -> spikes [B, T, C]. Equations: `lif_step`.

    Time constants, thresholds, resets, amplitudes and initial membranes may be one value, or one per neuron as a sequence, array or tensor
    [C].

    Args:
        size: number of neurons (channels).
        tau_ms: initial membrane time constant, in ms.
        dt_ms: time step, in ms.
        decay: initial decay factor, instead of `tau_ms`; a `tau` in steps of other libraries is `decay=1 - 1 / tau`.
        train_tau: train one time constant per neuron.
        v_threshold, v_reset, detach_reset, scale_input, amplitude, spike: see `lif_step`.
        v_init: initial membrane potential.
    """

    rule = staticmethod(lif_step)
    state_type = LIFState
    v_init: float | Tensor

    def __init__(
        self,
        size: int,
        tau_ms: PerNeuron = 10.0,
        dt_ms: float = 1.0,
        *,
        decay: PerNeuron | None = None,
        train_tau: bool = True,
        v_threshold: PerNeuron = 1.0,
        v_reset: PerNeuron | None = None,
        detach_reset: bool = True,
        scale_input: bool = False,
        v_init: PerNeuron = 0.0,
        amplitude: PerNeuron = 1.0,
        spike: Spike = ATan(),
    ):
        super().__init__(size)
        self.decay = Decay(size, tau_ms, dt_ms, decay, train_tau)
        self.hold(
            v_threshold=v_threshold,
            v_reset=v_reset,
            detach_reset=detach_reset,
            scale_input=scale_input,
            amplitude=amplitude,
            spike=spike,
        )
        self.v_init = self.each("v_init", v_init)

    def params(self) -> dict[str, Any]:
        return dict(decay=self.decay(), **self.constants)

    def init_state(self, x_t: Tensor) -> State:
        return LIFState(filled(super().init_state(x_t).v, self.v_init))

    def arguments(self) -> dict[str, Any]:
        leak = dict(tau_ms=self.decay.tau_ms, dt_ms=self.decay.dt_ms, decay=self.decay.factor, train_tau=self.decay.trained)
        return dict(size=self.size, **leak, **self.plain("v_init"))
