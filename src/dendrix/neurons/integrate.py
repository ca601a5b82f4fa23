"""Integrate-and-fire neurons (LIF without a leak), also used in converted networks."""

from typing import Any

from torch import Tensor

from ..core import ATan, State
from .base import Neuron, PerNeuron, Spike, filled
from .lif import LIFState, lif_step


def if_step(
    x: Tensor,
    state: LIFState,
    *,
    v_threshold: Tensor | float = 1.0,
    v_reset: Tensor | float | None = None,
    detach_reset: bool = True,
    amplitude: Tensor | float = 1.0,
    spike: Spike,
) -> tuple[Tensor, LIFState]:
    """Compute one time step of integrate-and-fire neurons: `lif_step` with decay 1.

    h = v + x
    s = [h >= v_threshold]
    v <- (1 - s) * h + s * v_reset (hard reset), or v <- h - s * v_threshold (soft reset, `v_reset` None)
    y = amplitude * s

    Args:
        x: input current, [B, C, ...], in units of the threshold.
        state: state before the step.
        v_threshold, v_reset, detach_reset, amplitude, spike: as in `lif_step`.
    Returns:
        y [B, C, ...] in {0, amplitude}, and the next state. Inputs are never modified.
    Source: Bu et al. (2022), arXiv 2303.04347: soft reset, initial membrane v_threshold / 2, amplitude v_threshold. QFFS
        (fnins.2022.918793) uses the same neuron with the threshold s Qp.
    """
    return lif_step(
        x, state, decay=1.0, v_threshold=v_threshold, v_reset=v_reset, detach_reset=detach_reset, amplitude=amplitude, spike=spike
    )


class IF(Neuron):
    """Integrate-and-fire neurons, [B, T, C] -> [B, T, C].

    With `v_threshold=theta, v_init=theta / 2, amplitude=theta`, as in converted networks, the mean output over T steps of constant input
    equals the QCFS activation with T levels: a quantised ReLU clipped at theta.

    Args:
        size: number of neurons (channels).
        v_threshold, v_reset, detach_reset, amplitude, spike: see `if_step`. Numbers may be one value or one per neuron, as in `LIF`.
        v_init: initial membrane potential.
    """

    state_type = LIFState
    v_init: float | Tensor

    def __init__(
        self,
        size: int,
        *,
        v_threshold: PerNeuron = 1.0,
        v_reset: PerNeuron | None = None,
        detach_reset: bool = True,
        v_init: PerNeuron = 0.0,
        amplitude: PerNeuron = 1.0,
        spike: Spike = ATan(),
    ):
        super().__init__(size)
        self.hold(v_threshold=v_threshold, v_reset=v_reset, detach_reset=detach_reset, amplitude=amplitude, spike=spike)
        self.v_init = self.each("v_init", v_init)
        # The equations are the same, but the kernel of `lif_step` takes numbers and has gradients, and that of `if_step` takes tensors.
        self.rule = if_step if self._by_neuron else lif_step

    def params(self) -> dict[str, Any]:
        return self.constants if self._by_neuron else dict(decay=1.0, **self.constants)

    def init_state(self, x_t: Tensor) -> State:
        return LIFState(filled(super().init_state(x_t).v, self.v_init))

    def arguments(self) -> dict[str, Any]:
        return dict(size=self.size, **self.plain("v_init"))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(renamed(state_dict, prefix, "v_threshold", "amplitude"), prefix, *args, **kwargs)


def renamed(state_dict: dict[str, Any], prefix: str, *names: str) -> dict[str, Any]:
    """Convert a `state_dict` of 0.1.0: store the `threshold` of converted neurons under these names, and set `v_init`."""
    if (threshold := state_dict.get(f"{prefix}threshold")) is None:
        return state_dict
    rest = {name: value for name, value in state_dict.items() if name != f"{prefix}threshold"}
    return rest | dict.fromkeys([prefix + name for name in names], threshold) | {f"{prefix}v_init": threshold / 2}
