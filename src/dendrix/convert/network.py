"""Converted networks: the part before the first neurons runs once per image, the rest at every step."""

import torch
from torch import Tensor, fx

from ..core import State, Stateful, expect, expect_finite, expect_floating, expect_valid, zero_invalid
from ..errors import InputError


class SpikingNetwork(Stateful):
    """Spiking network: currents [B, T, ...] -> outputs of every step [B, T, ...], not accumulated; `encode` computes the currents.

    State: a dict with the state of every neuron layer by its path in the original network.

    Args:
        prefix: images [B, C, ...] -> currents [B, ...], without time.
        body: (currents [B, T, ...], state by path, valid, T) -> (outputs, next state), from `lower`.
        image: shape of one image.
        current: shape of the currents of one step.
        layers: paths of the layers with a state, in the order in which they run.
    """

    def __init__(self, prefix: fx.GraphModule, body: fx.GraphModule, image: torch.Size, current: torch.Size, layers: tuple[str, ...]):
        super().__init__()
        self.prefix, self.body = prefix, body
        self.image, self.current, self.layers = image, current, layers

    def encode(self, images: Tensor, steps: int) -> Tensor:
        """Compute the currents into the first neurons, [B, T, ...].

        Args:
            images: still images [B, C, H, W], computed once and repeated at every step without further memory; or frames [B, T, C, H, W].
            steps: T.
        Raises:
            ValueError: a wrong shape, a NaN or an infinity, or fewer than one step.
        """
        if not isinstance(steps, int) or steps < 1:
            raise InputError(f"steps: expected a whole number of at least 1, got {steps!r}.")
        still = images.dim() == len(self.image) + 1
        expect(images, "B ..." if still else "B T ...", "images", **({} if still else {"T": steps}))
        expect_floating(images, "images")
        expect_finite(images, "images")
        came = images.shape[1:] if still else images.shape[2:]
        if came != self.image:
            wanted = ", ".join(map(str, self.image))
            raise InputError(f"images: expected [B, {wanted}] or [B, T, {wanted}], got {list(images.shape)}. Resize or crop them first.")
        if still:
            currents: Tensor = self.prefix(images).unsqueeze(1)
            return currents.expand(-1, steps, *currents.shape[2:])
        found: Tensor = self.prefix(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        return found

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T ...")
        expect_floating(x)
        expect_valid(valid, x)
        if x.shape[2:] != self.current:
            raise InputError(
                f"x: expected currents [B, T, {', '.join(map(str, self.current))}], got {list(x.shape)}. "
                "Make them with encode(images, steps)."
            )
        outputs, after = self.body(zero_invalid(x, valid), self._parts(state), valid, x.shape[1])
        return zero_invalid(outputs, valid), after

    def _parts(self, state: State) -> dict[str, State]:
        """State of every layer by its path."""
        if state is None:
            return dict.fromkeys(self.layers)
        if not isinstance(state, dict) or tuple(state) != self.layers:
            raise InputError(
                f"state: expected a dict of {len(self.layers)} states by layer, got {type(state).__name__}. "
                "Pass the state returned by the previous call."
            )
        return state
