"""Base class of exit rules: a score after each step, and a threshold that it must exceed."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ...core import State, expect
from ...errors import InputError


class RuleState(NamedTuple):
    """Number of steps of each row so far, int64 [B], and the memory of the rule's score."""

    steps: Tensor
    memory: State


@dataclass(frozen=True)
class ExitRule:
    """Stop a row after the first step at which its score exceeds the threshold (strictly).

    A larger score means a more certain answer, so a lower threshold never stops later. Subclasses implement `score`, `memory` if the score
    depends on earlier steps, and `span` if it has another range.

    Args:
        threshold: one number for all steps, or one for each step (the last one holds for all later steps), each within `span`,
            or minus infinity, which always stops. Thresholds of different steps are independent of each other.
        min_steps: no row stops before this step; steps count from 1.
    """

    span: ClassVar[tuple[float, float]] = (0.0, math.inf)
    """Range of the scores, and so of the thresholds. A threshold at its upper end never stops."""

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
        # numpy scalars are accepted, but a policy file holds Python numbers
        numbers = tuple(map(float, self.thresholds))
        object.__setattr__(self, "threshold", numbers if isinstance(self.threshold, tuple) else numbers[0])
        object.__setattr__(self, "min_steps", int(self.min_steps))

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Thresholds of steps 1, 2, ...; the last one holds for all later steps."""
        return self.threshold if isinstance(self.threshold, tuple) else (self.threshold,)

    def init(self, batch: int, device: torch.device | str = "cpu") -> RuleState:
        """State of `batch` rows before their first step."""
        return RuleState(torch.zeros(batch, dtype=torch.int64, device=device), self.memory(batch, device))

    def memory(self, batch: int, device: torch.device | str) -> State:
        """Memory of the score before the first step, first axis B; empty by default."""
        return ()

    def weigh(self, outputs_t: Tensor) -> Tensor:
        """Transform the outputs of a step [B, K] before they are accumulated; unchanged by default."""
        return outputs_t

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        """Certainty of the answer after this step: evidence [B, K] -> score [B], and the next memory."""
        raise NotImplementedError(f"{type(self).__name__} is abstract: give it score(evidence_t, memory).")

    def step(self, evidence_t: Tensor, state: RuleState) -> tuple[Tensor, RuleState]:
        """Apply the rule to one step.

        Args:
            evidence_t: evidence after this step, [B, K], as `accumulate_step` returns it. A row with a NaN or an infinity never stops.
            state: `init(B)` or the state that the last call returned.
        Returns:
            whether each row stops now, bool [B], and the next state.
        """
        expect(evidence_t, "B K", "evidence_t", B=len(state.steps))
        score, memory = self.score(evidence_t, state.memory)
        stop = (score > self._bound(state.steps, score)) & finite_rows(evidence_t)
        steps = state.steps + 1
        return stop & (steps >= self.min_steps), RuleState(steps, memory)

    def _bound(self, steps: Tensor, score: Tensor) -> Tensor | float:
        """Threshold of the next step of each row, in the dtype of the score."""
        first, *later = self.thresholds
        if not later:
            return first
        bounds = torch.tensor(self.thresholds, dtype=score.dtype).to(score.device, non_blocking=True)  # without waiting for the device
        return bounds[steps.clamp_max(len(bounds) - 1)]


def finite_rows(x: Tensor) -> Tensor:
    """Whether rows are finite, [..., K] -> bool [...]; three times as fast as `x.isfinite().all(-1)`."""
    return x.abs().amax(-1).isfinite()
