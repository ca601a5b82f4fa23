"""What every exit rule is: a score after each step, and a threshold that it must exceed."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..core import State, expect, expect_in


class RuleState(NamedTuple):
    """How many steps each row has seen, int64 [B], and what the rule's score remembers."""

    steps: Tensor
    memory: State


@dataclass(frozen=True)
class Rule:
    """Stop a row after the first step at which its score exceeds the threshold (strictly).

    A larger score is a surer answer, so a lower threshold never stops later. Subclasses give `score`, and `memory` if the score
    depends on earlier steps.

    Args:
        threshold: one number for all steps, or one for each step (the last one holds for all later steps).
        min_steps: no row stops before this step; steps count from 1.
    """

    threshold: float | tuple[float, ...]
    min_steps: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.threshold, (int, float)):
            object.__setattr__(self, "threshold", tuple(self.threshold))  # JSON has lists
        if not self.thresholds or any(math.isnan(value) for value in self.thresholds):
            raise ValueError(f"threshold: expected a number, or one for each step, got {self.threshold!r}. Give at least one, and no NaN.")
        expect_in(self.min_steps, "[1, inf)", "min_steps")

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The thresholds of steps 1, 2, ...; the last one holds for all later steps."""
        return self.threshold if isinstance(self.threshold, tuple) else (self.threshold,)

    def init(self, batch: int, device: torch.device | str = "cpu") -> RuleState:
        """The state before the first step of `batch` rows."""
        return RuleState(torch.zeros(batch, dtype=torch.int64, device=device), self.memory(batch, device))

    def memory(self, batch: int, device: torch.device | str) -> State:
        """What the score remembers before the first step, first axis B; nothing by default."""
        return ()

    def weigh(self, outputs_t: Tensor) -> Tensor:
        """The outputs of a step [B, K] as they enter the evidence: unchanged by default."""
        return outputs_t

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        """How sure the answer after this step is: evidence [B, K] -> score [B], and what to remember."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: give it score(evidence_t, memory).")

    def step(self, evidence_t: Tensor, state: RuleState) -> tuple[Tensor, RuleState]:
        """Judge one step.

        Args:
            evidence_t: the evidence after this step, [B, K], as `accumulate_step` gives it. A NaN never stops.
            state: `init(B)` or what the last call returned.
        Returns:
            which rows stop now, bool [B], and the next state.
        """
        expect(evidence_t, "B K", "evidence_t", B=len(state.steps))
        score, memory = self.score(evidence_t, state.memory)
        bounds = torch.tensor(self.thresholds, dtype=score.dtype, device=score.device)
        stop = score > bounds[state.steps.clamp_max(len(bounds) - 1)]
        steps = state.steps + 1
        return stop & (steps >= self.min_steps), RuleState(steps, memory)
