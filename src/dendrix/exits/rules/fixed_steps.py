"""Exit rule that stops after a fixed number of steps."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core import State, expect_in
from .base import ExitRule


@dataclass(frozen=True)
class FixedSteps(ExitRule):
    """The score is the number of steps so far, so `FixedSteps(threshold)` stops at the first step beyond the threshold.

    Baseline for other rules. `FixedSteps.of(t)` stops after step t.
    """

    @classmethod
    def of(cls, steps: int) -> "FixedSteps":
        """Make the rule that stops every row after this step."""
        expect_in(steps, "[1, inf)", "steps")
        return cls(steps - 0.5)

    def memory(self, batch: int, device: torch.device | str) -> State:
        return torch.zeros(batch, dtype=torch.int64, device=device)

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        steps = memory + 1
        return steps.to(evidence_t.dtype), steps
