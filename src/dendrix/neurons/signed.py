"""Integrate-and-fire neurons that cancel spikes by negative ones, for converted networks."""

import math
from typing import Any, NamedTuple

from torch import Tensor

from ..core import ATan, State, expect_count
from .base import Neuron, PerNeuron, Spike, filled
from .integrate import renamed


class SignedIFState(NamedTuple):
    """Membrane potential `v`, and number of spikes minus cancelled spikes `sent`, both [B, C, ...]."""

    v: Tensor
    sent: Tensor


def signed_if_step(
    x: Tensor, state: SignedIFState, *, v_threshold: Tensor | float, limit: float = math.inf, spike: Spike
) -> tuple[Tensor, SignedIFState]:
    """Compute one time step: spike when the membrane reaches the threshold, and cancel an earlier spike when it falls below zero.

    v <- v + x
    s = [v >= v_threshold and sent < limit] - [v < 0 and sent > 0];  y = v_threshold * s
    v <- v - y;  sent <- sent + s

    Args:
        x: input current, [B, C, ...].
        state: state before the step.
        v_threshold: theta > 0, one value or one per channel.
        limit: largest value of `sent`; infinity for no limit.
        spike: Heaviside step with a surrogate gradient, applied to v - v_threshold and to v.
    Returns:
        y [B, C, ...] in {-theta, 0, theta}, and the next state. Inputs are never modified.
    Source: noise suppression of QFFS (Li, Ma & Furber 2022, fnins.2022.918793), where the limit is 2^bits - 1.
    """
    v = state.v + x
    s = spike(v - v_threshold) * (state.sent < limit - 0.5) - (1 - spike(v)) * (state.sent > 0.5)
    y = s * v_threshold
    return y, SignedIFState(v - y, state.sent + s)


class SignedIF(Neuron):
    """Integrate-and-fire neurons that cancel earlier spikes by negative ones, [B, T, C, ...] -> [B, T, C, ...].

    The input of deep layers varies over time: a neuron may spike in the first steps although its summed input ends up below the threshold.
    `IF` cannot correct this error, which causes most of the accuracy loss of a conversion at two to four steps. Spikes of several
    thresholds, which make every layer exact at every step, were not more accurate on CIFAR-10. Equations: `signed_if_step`.

    Args:
        size: number of neurons (channels).
        v_threshold: theta, one value or one per neuron, as in `LIF`.
        v_init: initial membrane potential; theta / 2 in converted networks.
        limit: largest number of spikes that are not cancelled; None for no limit.
        spike: see `signed_if_step`.
    """

    rule = staticmethod(signed_if_step)
    state_type = SignedIFState
    v_init: float | Tensor

    def __init__(
        self, size: int, *, v_threshold: PerNeuron = 1.0, v_init: PerNeuron = 0.0, limit: int | None = None, spike: Spike = ATan()
    ):
        super().__init__(size)
        self.hold(v_threshold=v_threshold, spike=spike)
        self.v_init = self.each("v_init", v_init)
        self.limit = None if limit is None else expect_count(limit, "[1, inf)", "limit")

    def params(self) -> dict[str, Any]:
        return dict(limit=math.inf if self.limit is None else self.limit, **self.constants)

    def init_state(self, x_t: Tensor) -> State:
        rest = super().init_state(x_t)
        return SignedIFState(filled(rest.v, self.v_init), rest.sent)

    def arguments(self) -> dict[str, Any]:
        return dict(size=self.size, limit=self.limit, **self.plain("v_init"))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(renamed(state_dict, prefix, "v_threshold"), prefix, *args, **kwargs)
