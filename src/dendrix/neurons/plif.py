"""Parametric LIF neurons, with one trained time constant per layer."""

import math
from typing import Any

import torch
from torch import Tensor

from ..core import ATan, expect_in
from .base import Neuron, PerNeuron, Spike
from .lif import LIFState, lif_step


class PLIF(Neuron):
    """Parametric LIF neurons, [B, T, C] -> spikes [B, T, C]: `lif_step` with scaled input and dt / tau = sigmoid(w), one w per layer.

    Args:
        size: number of neurons (channels).
        tau_ms: initial time constant of the layer, in ms, larger than `dt_ms`.
        dt_ms: time step, in ms.
        v_threshold, v_reset, detach_reset, scale_input, spike: see `lif_step`; threshold and reset may be one value or one per neuron.
    Source: Fang et al. (2021), "Incorporating learnable membrane time constant", arXiv 2007.05785, equations 9-11.
    """

    rule = staticmethod(lif_step)
    state_type = LIFState
    w: Tensor

    def __init__(
        self,
        size: int,
        tau_ms: float = 2.0,
        dt_ms: float = 1.0,
        *,
        v_threshold: PerNeuron = 1.0,
        v_reset: PerNeuron | None = 0.0,
        detach_reset: bool = False,
        scale_input: bool = True,
        spike: Spike = ATan(),
    ):
        super().__init__(size)
        self._dt_ms = expect_in(dt_ms, "(0, inf)", "dt_ms")
        self._tau_ms = expect_in(tau_ms, f"({dt_ms}, inf)", "tau_ms", "Choose one longer than dt_ms.")
        self.register_exact("w", -math.log(tau_ms / dt_ms - 1), train=True)
        self.hold(v_threshold=v_threshold, v_reset=v_reset, detach_reset=detach_reset, scale_input=scale_input, spike=spike)

    def params(self) -> dict[str, Any]:
        return dict(decay=torch.sigmoid(-self.w), **self.constants)

    def learned(self) -> dict[str, Any]:
        return dict(tau_ms=self._dt_ms * (1 + torch.exp(-self.w.detach())))

    def arguments(self) -> dict[str, Any]:
        return dict(size=self.size, tau_ms=self._tau_ms, dt_ms=self._dt_ms, **self.plain())
