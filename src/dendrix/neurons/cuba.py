"""Current-based LIF neurons: an exponential synapse followed by a leaky membrane."""

from typing import Any, NamedTuple

from torch import Tensor

from ..core import ATan
from .base import Decay, Neuron, PerNeuron, Spike


class CubaLIFState(NamedTuple):
    """Synaptic current `i` and membrane potential `v`, each [B, C, ...]."""

    i: Tensor
    v: Tensor


def cuba_lif_step(
    x: Tensor,
    state: CubaLIFState,
    *,
    decay_syn: Tensor,
    decay: Tensor,
    v_threshold: Tensor | float = 1.0,
    v_reset: Tensor | float | None = None,
    detach_reset: bool = True,
    scale_input: bool = False,
    spike: Spike,
) -> tuple[Tensor, CubaLIFState]:
    """Compute one time step of current-based LIF neurons.

    i <- decay_syn * i + x
    h = decay * v + i, or h = v + (1 - decay) * (i - v) with `scale_input`
    s = [h >= v_threshold]
    v <- (1 - s) * h + s * v_reset (hard reset), or v <- h - s * v_threshold (soft reset, `v_reset` None)

    Args:
        x: input, [B, C, ...].
        state: state before the step.
        decay_syn, decay: exp(-dt / tau) of synapse and membrane, [C], in (0, 1).
        v_threshold, v_reset, detach_reset, scale_input, spike: as in `lif_step`.
    Returns:
        spikes [B, C, ...] in {0, 1}, and the next state.
    Source: Gerstner et al., Neuronal Dynamics (2014), sections 1.3 and 3.1.
    """
    i = decay_syn * state.i + x
    h = state.v + (1 - decay) * (i - state.v) if scale_input else decay * state.v + i
    s = spike(h - v_threshold)
    cut = s.detach() if detach_reset else s
    v = h - cut * v_threshold if v_reset is None else (1 - cut) * h + cut * v_reset
    return s, CubaLIFState(i, v)


class CubaLIF(Neuron):
    """Current-based LIF neurons, [B, T, C] -> spikes [B, T, C]. Both time constants are trained, one per neuron.

    Time constants, threshold and reset may be one value or one per neuron, as in `LIF`. Equations: `cuba_lif_step`.

    Args:
        size: number of neurons (channels).
        tau_syn_ms, tau_ms: initial time constants of synapse and membrane, in ms.
        dt_ms: time step, in ms.
        v_threshold, v_reset, detach_reset, scale_input, spike: see `lif_step`.
    """

    rule = staticmethod(cuba_lif_step)
    state_type = CubaLIFState

    def __init__(
        self,
        size: int,
        tau_syn_ms: PerNeuron = 5.0,
        tau_ms: PerNeuron = 10.0,
        dt_ms: float = 1.0,
        *,
        v_threshold: PerNeuron = 1.0,
        v_reset: PerNeuron | None = None,
        detach_reset: bool = True,
        scale_input: bool = False,
        spike: Spike = ATan(),
    ):
        super().__init__(size)
        self.decay_syn = Decay(size, tau_syn_ms, dt_ms, name="tau_syn_ms")
        self.decay = Decay(size, tau_ms, dt_ms)
        self.hold(v_threshold=v_threshold, v_reset=v_reset, detach_reset=detach_reset, scale_input=scale_input, spike=spike)

    def params(self) -> dict[str, Any]:
        return dict(decay_syn=self.decay_syn(), decay=self.decay(), **self.constants)

    def arguments(self) -> dict[str, Any]:
        return dict(
            size=self.size, tau_syn_ms=self.decay_syn.tau_ms, tau_ms=self.decay.tau_ms, dt_ms=self.decay.dt_ms, **self.plain()
        )  # fmt: skip
