"""Converted networks that take images, as other programs show them."""

from typing import Any

from torch import Tensor

from ..core import State, Stateful, expect, expect_floating, expect_valid, zero_invalid
from ..errors import InputError
from ..models import Converted


class ImageFrames(Stateful):
    """Converted network with the layers before its first neurons at every step: images [B, T, C, H, W] -> outputs [B, T, K].

    `Converted` itself takes currents and computes them once per image, which is faster. The state is that of the network.

    Args:
        network: the network; a still image is repeated for `network.presented` steps.
    """

    def __init__(self, network: Converted):
        super().__init__()
        self.network = network

    def arguments(self) -> dict[str, Any]:
        return dict(network=self.network)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C H W")
        expect_floating(x)
        expect_valid(valid, x)
        currents = self.network.encode(zero_invalid(x, valid), x.shape[1])
        outputs: tuple[Tensor, State] = self.network(currents, state, valid)
        return outputs


def over_time(network: Any) -> Any:
    """Return a network that takes a step: a converted one with its images, others as they are.

    Raises:
        InputError: the network has no state.
    """
    if isinstance(network, Converted):
        return ImageFrames(network)
    if not isinstance(network, Stateful):
        raise InputError(f"network: expected one over time, got {type(network).__name__}. Convert an image network first: dendrix convert.")
    return network
