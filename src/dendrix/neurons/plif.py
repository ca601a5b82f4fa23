"""The parametric LIF: one learned time constant for the whole layer."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..core import ATan, expect_in
from .base import Neuron
from .lif import LIFState, lif_step


class PLIF(Neuron):
    """Parametric LIF, [B, T, C] -> spikes [B, T, C]: `lif_step` with scaled input and 1 / tau = sigmoid(w), one w per layer.

    Args:
        size: number of neurons (channels).
        tau_steps: the time constant at the start, in time steps, larger than 1.
        v_threshold, v_reset, detach_reset, scale_input, spike: see `lif_step`.
    Source: Fang et al. (2021), "Incorporating learnable membrane time constant", arXiv 2007.05785, equations 9-11.
    """

    rule = staticmethod(lif_step)
    state_type = LIFState

    def __init__(
        self,
        size: int,
        tau_steps: float = 2.0,
        *,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        detach_reset: bool = False,
        scale_input: bool = True,
        spike: Callable[[Tensor], Tensor] = ATan(),
    ):
        super().__init__(size)
        expect_in(tau_steps, "(1, inf)", "tau_steps")
        expect_in(v_threshold, "(0, inf)", "v_threshold")
        self.w = nn.Parameter(torch.tensor(-math.log(tau_steps - 1)))
        self.constants: dict[str, Any] = dict(
            v_threshold=v_threshold, v_reset=v_reset, detach_reset=detach_reset, scale_input=scale_input, spike=spike
        )

    def params(self) -> dict[str, Any]:
        return dict(decay=torch.sigmoid(-self.w), **self.constants)
