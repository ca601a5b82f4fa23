"""The integrate-and-fire neuron: a LIF that does not leak."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..core import ATan, State, expect_in
from .base import Neuron
from .lif import LIFState, lif_step


class IF(Neuron):
    """Integrate-and-fire neurons, [B, T, C] -> [B, T, C]: `lif_step` with decay 1.

    The neuron of QCFS is `v_init=theta / 2, amplitude=theta, v_threshold=theta`; `RateIF` is the same with its threshold in the state_dict.

    Args:
        size: number of neurons (channels).
        v_threshold, v_reset, detach_reset, amplitude, spike: see `lif_step`.
        v_init: membrane at rest, before the first step.
    """

    rule = staticmethod(lif_step)
    state_type = LIFState

    def __init__(
        self,
        size: int,
        *,
        v_threshold: float = 1.0,
        v_reset: float | None = None,
        detach_reset: bool = True,
        v_init: float = 0.0,
        amplitude: float = 1.0,
        spike: Callable[[Tensor], Tensor] = ATan(),
    ):
        super().__init__(size)
        expect_in(v_threshold, "(0, inf)", "v_threshold")
        self.v_init = v_init
        self.constants: dict[str, Any] = dict(
            v_threshold=v_threshold, v_reset=v_reset, detach_reset=detach_reset, amplitude=amplitude, spike=spike
        )

    def params(self) -> dict[str, Any]:
        return dict(decay=1.0, **self.constants)

    def init_state(self, x_t: Tensor) -> State:
        return LIFState(torch.full_like(super().init_state(x_t).v, self.v_init))
