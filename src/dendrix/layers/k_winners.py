"""k winners take all: the k largest channels pass, the others are set to zero."""

from typing import Any

import torch
from torch import Tensor

from ..core import State, Stateful, expect, expect_count, expect_floating, expect_in, expect_valid, zero_invalid
from .dendrites.theory import MatchTheory, match_theory


class KWinners(Stateful):
    """Keep the k largest channels of every step and set the others to zero, [B, T, C] -> [B, T, C].

    With `boost`, the winners are the largest x * exp((k / C - duty) * boost), which favours channels that rarely win; their values are not
    changed. `duty_cycle` is a running mean of how often each channel wins in valid steps, a buffer that is updated in training.

    Args:
        size: number of channels, C.
        winners: number of winners, k.
        boost: strength of the boosting, in training and evaluation.
        momentum: weight of the current batch in the duty cycle.
    Source: Ahmad & Scheinkman (2019), arXiv 1903.11257; the update of the duty cycle per batch, as in BatchNorm, is ours.
    """

    duty_cycle: Tensor

    def __init__(self, size: int, winners: int, boost: float = 0.0, momentum: float = 0.1):
        super().__init__()
        self.size = expect_count(size, "[1, inf)", "size")
        self.winners = expect_count(winners, f"[1, {size}]", "winners")
        self.boost = expect_in(boost, "[0, inf)", "boost")
        self.momentum = expect_in(momentum, "[0, 1]", "momentum")
        self.register_exact("duty_cycle", self.winners / self.size, self.size)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.size)
        expect_floating(x)
        expect_valid(valid, x)
        x = zero_invalid(x, valid)
        with torch.no_grad():
            rivals = x * torch.exp((self.winners / self.size - self.duty_cycle) * self.boost) if self.boost else x
            chosen = torch.zeros_like(x).scatter_(-1, rivals.topk(self.winners, sorted=False).indices, 1)
            chosen = zero_invalid(chosen, valid)
            if self.training:
                self._count(chosen, valid)
        return x * chosen, ()

    def _count(self, chosen: Tensor, valid: Tensor | None) -> None:
        """Update the duty cycle with the fraction of valid steps in which each channel won."""
        steps = chosen[..., 0].numel() if valid is None else valid.sum().clamp_min(1)
        moved = self.duty_cycle.lerp(chosen.sum((0, 1)).to(self.duty_cycle.dtype) / steps, self.momentum)
        self.duty_cycle.copy_(moved if valid is None else torch.where(valid.any(), moved, self.duty_cycle))

    def theory(self, synapses: int, theta: int, moved: int = 0) -> MatchTheory:
        """Predict the error rates of a segment on the codes of this layer, assuming random winners.

        Args:
            synapses: number of synapses of the segment.
            theta: number of active synapses that makes a match.
            moved: number of winners of the known code that have changed.
        """
        return match_theory(self.size, self.winners, synapses, theta, moved)

    def arguments(self) -> dict[str, Any]:
        return dict(size=self.size, winners=self.winners, boost=self.boost, momentum=self.momentum)
