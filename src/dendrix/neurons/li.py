"""Leaky integrators, for readouts."""

from typing import Any

from torch import Tensor

from .base import Decay, Neuron, PerNeuron
from .lif import LIFState


def li_step(x: Tensor, state: LIFState, *, decay: Tensor | float) -> tuple[Tensor, LIFState]:
    """Compute one time step of leaky integrators: v <- decay * v + x. The output is v.

    Args:
        x: input, [B, C, ...].
        state: state before the step.
        decay: exp(-dt / tau), [C], in (0, 1).
    Returns:
        v [B, C, ...], and the next state.
    Source: Gerstner et al., Neuronal Dynamics (2014), equation 1.9.
    """
    v = decay * state.v + x
    return v, LIFState(v)


class LI(Neuron):
    """Leaky integrators, [B, T, K] -> membrane potentials [B, T, K], for the readout of a spiking classifier.

    Args:
        size: number of outputs.
        tau_ms, dt_ms, decay, train_tau: as in `LIF`.
    """

    rule = staticmethod(li_step)
    state_type = LIFState

    def __init__(self, size: int, tau_ms: PerNeuron = 10.0, dt_ms: float = 1.0, *, decay: PerNeuron | None = None, train_tau: bool = True):
        super().__init__(size)
        self.decay = Decay(size, tau_ms, dt_ms, decay, train_tau)

    def params(self) -> dict[str, Any]:
        return dict(decay=self.decay())

    def arguments(self) -> dict[str, Any]:
        leak = dict(tau_ms=self.decay.tau_ms, dt_ms=self.decay.dt_ms, decay=self.decay.factor, train_tau=self.decay.trained)
        return dict(size=self.size, **leak)
