"""Neurons of converted networks: their mean output over time is a ReLU that is clipped at the threshold and told in whole spikes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..core import ATan, State
from ..errors import InputError
from .base import Neuron


class RateState(NamedTuple):
    """The membrane potential `v`, [B, C, ...], in the units of the input."""

    v: Tensor


def rate_step(x: Tensor, state: RateState, *, threshold: Tensor | float, spike: Callable[[Tensor], Tensor]) -> tuple[Tensor, RateState]:
    """Integrate without a leak, and send the threshold itself when it is reached.

    v <- v + x;  y = threshold * [v >= threshold];  v <- v - y

    Args:
        x: input current, [B, C, ...].
        state: the membrane before the step.
        threshold: theta > 0, one value or one per channel.
        spike: Heaviside step with a surrogate gradient, applied to v - threshold.
    Returns:
        y [B, C, ...] in {0, theta}, and the next state. Inputs are never modified.
    Source: Bu et al. (2022), arXiv 2303.04347; the same neuron with a threshold of s Qp stands in QFFS (fnins.2022.918793).
    """
    v = state.v + x
    y = spike(v - threshold) * threshold
    return y, RateState(v - y)


class SignedRateState(NamedTuple):
    """The membrane potential `v`, and the spikes `sent` less those taken back; both [B, C, ...]."""

    v: Tensor
    sent: Tensor


def signed_rate_step(
    x: Tensor, state: SignedRateState, *, threshold: Tensor | float, limit: float, spike: Callable[[Tensor], Tensor]
) -> tuple[Tensor, SignedRateState]:
    """As `rate_step`, but a spike that later input disproves is taken back by a negative one.

    v <- v + x
    s = [v >= threshold and sent < limit] - [v < 0 and sent > 0];  y = threshold * s
    v <- v - y;  sent <- sent + s

    Args:
        x: input current, [B, C, ...].
        state: membrane and spikes before the step.
        threshold: theta > 0, one value or one per channel.
        limit: the most spikes that may stand at a time; infinity for none.
        spike: Heaviside step with a surrogate gradient, applied to v - threshold and to v.
    Returns:
        y [B, C, ...] in {-theta, 0, theta}, and the next state. Inputs are never modified.
    Source: the suppression of noise in QFFS (Li, Ma & Furber 2022, fnins.2022.918793), there with a limit of 2^bits - 1.
    """
    v = state.v + x
    s = spike(v - threshold) * (state.sent < limit - 0.5) - (1 - spike(v)) * (state.sent > 0.5)
    y = s * threshold
    return y, SignedRateState(v - y, state.sent + s)


class RateIF(Neuron):
    """Integrate-and-fire neurons that stand for a clipped ReLU, [B, T, C, ...] -> [B, T, C, ...]; the equations stand in `rate_step`.

    The membrane starts at half the threshold. Under constant input the mean over T steps is then the QCFS activation with T levels.

    Args:
        size: number of channels.
        threshold: theta, a number, or one value per channel [C].
        spike: see `rate_step`.
    """

    rule = staticmethod(rate_step)
    state_type = RateState
    threshold: Tensor

    def __init__(self, size: int, threshold: float | Tensor = 1.0, spike: Callable[[Tensor], Tensor] = ATan()):
        super().__init__(size)
        _set_threshold(self, threshold)
        self.spike = spike

    def params(self) -> dict[str, Any]:
        return dict(threshold=self.threshold, spike=self.spike)

    def init_state(self, x_t: Tensor) -> State:
        return _half_full(self, super().init_state(x_t))


class SignedRateIF(Neuron):
    """As `RateIF`, but spikes that later input disproves are taken back; the equations stand in `signed_rate_step`.

    Deep layers get uneven input: a neuron may spike on its first steps and then find its sum too small. `RateIF` stays wrong there, and
    that is most of what a conversion loses at two to four steps. Larger spikes, of any whole number of thresholds, which make every
    layer exact at every step, gained no more in our measurements on CIFAR-10.

    Args:
        size: number of channels.
        threshold: theta, a number, or one value per channel [C].
        limit: the most spikes that may stand at a time.
        spike: see `signed_rate_step`.
    """

    rule = staticmethod(signed_rate_step)
    state_type = SignedRateState
    threshold: Tensor

    def __init__(
        self,
        size: int,
        threshold: float | Tensor = 1.0,
        limit: float = float("inf"),
        spike: Callable[[Tensor], Tensor] = ATan(),
    ):
        super().__init__(size)
        if limit < 1:
            raise InputError(f"limit: expected at least 1 spike, got {limit}.")
        _set_threshold(self, threshold)
        self.limit, self.spike = limit, spike

    def params(self) -> dict[str, Any]:
        return dict(threshold=self.threshold, limit=self.limit, spike=self.spike)

    def init_state(self, x_t: Tensor) -> State:
        return _half_full(self, super().init_state(x_t))


def checked_threshold(threshold: float | Tensor, size: int) -> Tensor:
    """A threshold as a tensor [] or [C] of its own.

    Raises:
        ValueError: it is not above zero and finite, or does not fit the channels.
    """
    found = threshold.detach().clone() if isinstance(threshold, Tensor) else torch.tensor(float(threshold))
    if found.dim() > 1 or found.numel() not in (1, size):
        raise InputError(f"threshold: expected one number or one for each of {size} channels, got shape {list(found.shape)}.")
    if not bool((found > 0).all()) or not bool(found.isfinite().all()):
        wrong = found[~((found > 0) & found.isfinite())].flatten()[0].item()
        raise InputError(
            f"threshold: expected positive finite numbers, got {wrong:g}. A neuron without a threshold above zero never rests."
        )
    return found


def _set_threshold(neuron: RateIF | SignedRateIF, threshold: float | Tensor) -> None:
    neuron.register_buffer("threshold", checked_threshold(threshold, neuron.size))
    neuron.register_load_state_dict_post_hook(_check_loaded)  # type: ignore[no-untyped-call]


def _check_loaded(neuron: nn.Module, _: object) -> None:
    """A file may hold any threshold."""
    if isinstance(neuron, RateIF | SignedRateIF):
        checked_threshold(neuron.threshold, neuron.size)


def _half_full(neuron: RateIF | SignedRateIF, rest: Any) -> State:
    threshold = neuron.threshold.view(-1, *[1] * (rest.v.dim() - 2)) if neuron.threshold.dim() else neuron.threshold
    return rest._replace(v=rest.v + threshold / 2)
