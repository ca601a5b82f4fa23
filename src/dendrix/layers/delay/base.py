"""Base of the layers with delays: the delays in steps, and the width over which each is spread in training."""

import torch
from torch import Tensor, nn

from ...core import Stateful, expect_finite
from ...errors import InputError


class Delayed(Stateful):
    """A layer that sends its inputs, or outputs, with delays of 0 to `taps` - 1 steps. A subclass sets all attributes.

    `delay` is a parameter where it is learned and a buffer where it is fixed; `width` is a buffer that training narrows from
    `first_width` to `last_width`; `rounded` says that whole steps are in use.
    """

    delay: Tensor
    width: Tensor
    taps: int
    dt_ms: float
    first_width: float
    last_width: float
    rounded: bool

    def integer_delay(self) -> Tensor:
        """The delays as deployed, int64, in steps, shaped as `delay`.

        Raises:
            InputError: a delay is NaN or infinite.
        """
        expect_finite(self.delay, "delay", "Its training diverged: load an earlier state.")
        return self._whole(self.delay.detach()).clamp(0, self.taps - 1).long()

    def _whole(self, delay: Tensor) -> Tensor:
        return delay.round()

    def delays_ms(self) -> Tensor:
        """The delays in use, in ms, shaped as `delay`."""
        return (self.integer_delay() if self.rounded else self.delay.detach()) * self.dt_ms

    @torch.no_grad()
    def clamp_(self) -> None:
        """Bring the delays back into 0 .. taps - 1; call it after every optimiser step."""
        self.delay.clamp_(0, self.taps - 1)


def steps_within(max_delay_ms: float, dt_ms: float) -> int:
    """Number of whole time steps in the longest delay: at most 2^24, because float32 represents every lag up to there.

    Raises:
        InputError: the delay is longer.
    """
    if max_delay_ms / dt_ms > 2**24:
        raise InputError(f"max_delay_ms: expected at most 2^24 steps of {dt_ms} ms, got {max_delay_ms} ms. Choose a shorter delay.")
    return int(max_delay_ms / dt_ms + 1e-9)  # 0.3 / 0.1 must count as 3 steps


def delay_layers(model: nn.Module) -> list[Delayed]:
    """All layers of a model that have delays, in order."""
    return [m for m in model.modules() if isinstance(m, Delayed)]
