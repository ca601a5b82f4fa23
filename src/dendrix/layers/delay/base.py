"""Base class of layers with delays."""

import torch
from torch import Tensor, nn

from ...core import Stateful, expect_finite
from ...errors import InputError


class Delayed(Stateful):
    """Base class of layers with delays of 0 to `taps` - 1 steps. A subclass sets all attributes.

    `delay` is a parameter if it is trained and a buffer otherwise. `width` is the width of the interpolation over time steps, a buffer that
    `anneal` narrows from `first_width` to `last_width`. If `rounded` is True, delays are rounded to whole steps.
    """

    delay: Tensor
    width: Tensor
    taps: int
    dt_ms: float
    first_width: float
    last_width: float
    rounded: bool

    def integer_delay(self, dtype: torch.dtype = torch.int64) -> Tensor:
        """Return the delays rounded to whole steps, int64 or another integer type, with the shape of `delay`.

        Raises:
            InputError: a delay is NaN or infinite.
        """
        expect_finite(self.delay, "delay", "The training diverged: load an earlier checkpoint.")
        return self._whole(self.delay.detach()).clamp_(0, self.taps - 1).to(dtype)

    def _whole(self, delay: Tensor) -> Tensor:
        return delay.round()

    def delays_ms(self) -> Tensor:
        """Return the current delays in ms, with the shape of `delay`."""
        return (self.integer_delay() if self.rounded else self.delay.detach()) * self.dt_ms

    @torch.no_grad()
    def clamp_(self) -> None:
        """Clamp the delays to 0 .. taps - 1; call it after every optimiser step."""
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
    """Return all layers of a model that have delays, in order."""
    return [m for m in model.modules() if isinstance(m, Delayed)]
