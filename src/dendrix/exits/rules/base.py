"""What every exit rule is: a score after each step, and a threshold that it must exceed."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ...core import State, expect
from ...errors import InputError


class RuleState(NamedTuple):
    """How many steps each row has seen, int64 [B], and what the rule's score remembers."""

    steps: Tensor
    memory: State


@dataclass(frozen=True)
class ExitRule:
    """Stop a row after the first step at which its score exceeds the threshold (strictly).

    A larger score is a surer answer, so a lower threshold never stops later. Subclasses give `score`, `memory` if the score
    depends on earlier steps, and `span` if it has another range.

    Args:
        threshold: one number for all steps, or one for each step (the last one holds for all later steps), each within `span`,
            or minus infinity, which always stops. Those of the steps are independent of each other and may rise and fall.
        min_steps: no row stops before this step; steps count from 1.
    """

    span: ClassVar[tuple[float, float]] = (0.0, math.inf)
    """The range of the scores, and so of the thresholds. A threshold at its upper end never stops."""

    threshold: float | tuple[float, ...]
    min_steps: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.threshold, list):  # JSON has lists
            object.__setattr__(self, "threshold", tuple(self.threshold))
        low, high = self.span
        fits = [isinstance(value, Real) and (low <= value <= high or value == -math.inf) for value in self.thresholds]
        if not fits or not all(fits):
            raise InputError(
                f"threshold: expected a number from {low:g} to {high:g}, or one for each step, got {self.threshold!r}. "
                f"A score of {type(self).__name__} lies in that range."
            )
        if not isinstance(self.min_steps, Integral) or self.min_steps < 1:
            raise InputError(f"min_steps: expected a whole number of at least 1, got {self.min_steps!r}. Steps count from 1.")
        # numpy's numbers are welcome, but a policy file holds those of Python
        numbers = tuple(map(float, self.thresholds))
        object.__setattr__(self, "threshold", numbers if isinstance(self.threshold, tuple) else numbers[0])
        object.__setattr__(self, "min_steps", int(self.min_steps))

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
            evidence_t: the evidence after this step, [B, K], as `accumulate_step` gives it. A row with a NaN or an infinity never stops.
            state: `init(B)` or what the last call returned.
        Returns:
            which rows stop now, bool [B], and the next state.
        """
        expect(evidence_t, "B K", "evidence_t", B=len(state.steps))
        score, memory = self.score(evidence_t, state.memory)
        stop = (score > self._bound(state.steps, score)) & finite_rows(evidence_t)
        steps = state.steps + 1
        return stop & (steps >= self.min_steps), RuleState(steps, memory)

    def _bound(self, steps: Tensor, score: Tensor) -> Tensor | float:
        """The threshold of each row's next step, as it compares with the score."""
        first, *later = self.thresholds
        if not later:
            return first
        bounds = torch.tensor(self.thresholds, dtype=score.dtype).to(score.device, non_blocking=True)  # a rule never waits for the device
        return bounds[steps.clamp_max(len(bounds) - 1)]


def finite_rows(x: Tensor) -> Tensor:
    """Which rows hold no NaN and no infinity, [..., K] -> bool [...]; three times as fast as `x.isfinite().all(-1)`."""
    return x.abs().amax(-1).isfinite()
