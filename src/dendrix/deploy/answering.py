"""The decision of an exported network from its accumulated outputs: exit rule, confidence and abstention, in whole numbers."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import expect_in
from ..data.speech.integer_base import Ints
from ..errors import InputError
from ..exits import ExitRule, FixedSteps, IntegerMargin, IntegerProbability, Patience
from ..exits.rules.integer_margin import lead
from ..exits.rules.integer_probability import crowd
from ..models import Decision

ACCUMULATIONS = ("sum", "mean", "last", "max")
"""Accumulations of outputs that have an integer form."""


class Answer(NamedTuple):
    """Decision about one input, as the exported engine gives it."""

    label: int
    """Index of the class; -1 if the network abstains."""
    confidence: int
    """Probability of that class, times 65,536."""
    steps: int
    stopped: bool
    """Whether the exit rule stopped the input."""


class Answering:
    """Base class of exported networks: how accumulated outputs become an answer."""

    labels: tuple[str, ...]
    decision: Decision
    rule: ExitRule | None
    abstain: float

    @property
    def unit(self) -> float:
        """Value of one unit of the outputs."""
        raise NotImplementedError(f"{type(self).__name__} is abstract. Define unit in the subclass.")

    def expect_decision(self, outputs: int) -> None:
        """Check the parts of the decision.

        Args:
            outputs: number of outputs of the network.
        Raises:
            InputError: a part has no integer form, or the parts do not fit together.
        """
        expect_in(self.abstain, "[0, 1]", "abstain")
        if self.decision.accumulation not in ACCUMULATIONS:
            raise InputError(
                f"accumulation: expected one of {', '.join(ACCUMULATIONS)}, got '{self.decision.accumulation}', which has no integer form."
            )
        if len(self.labels) != outputs:
            raise InputError(f"labels: expected {outputs}, got {len(self.labels)}. Name every output.")
        _expect_rule(self.rule, self.unit, self.decision.accumulation == "mean", outputs)

    def totalled(self, outputs: Ints) -> Ints:
        """Accumulated outputs after every step, [T, K], of the outputs of every step."""
        if self.decision.accumulation == "last":
            return outputs
        return np.maximum.accumulate(outputs) if self.decision.accumulation == "max" else outputs.cumsum(0)

    @property
    def probability(self) -> IntegerProbability:
        """The rule whose probability is the confidence."""
        if isinstance(self.rule, IntegerProbability):
            return self.rule
        return IntegerProbability(1.0, unit=self.unit, mean=self.decision.accumulation == "mean")

    def answer(self, totals: Ints) -> Answer:
        """The decision from accumulated outputs [T, K]."""
        stops = self._stops(totals)
        steps = int(stops.argmax()) + 1 if stops.any() else len(totals)
        total = totals[steps - 1]
        # As the engine divides: in 32 bits, 14 of them fractional.
        confidence = (1 << 30) // (self._crowd(totals[steps - 1 : steps], steps - 1)[0] >> 16)
        label = int(total.argmax()) if confidence >= self.abstained else -1
        return Answer(label, int(confidence), steps, bool(stops.any()))

    @property
    def abstained(self) -> int:
        """Confidence, times 65,536, below which there is no answer."""
        return math.ceil(self.abstain * 65536)

    def _crowd(self, totals: Ints, first: int) -> list[int]:
        rule, steps = self.probability, torch.arange(first + 1, first + len(totals) + 1)
        found: list[int] = crowd(torch.from_numpy(totals), steps if rule.mean else torch.ones_like(steps), rule.constant).tolist()
        return found

    def _stops(self, totals: Ints) -> NDArray[np.bool_]:
        """Whether the rule stops after each step, bool [T]."""
        steps, rule = np.arange(1, len(totals) + 1), self.rule
        if rule is None:
            return np.zeros(len(totals), bool)
        bounds = np.array(rule_bounds(rule), dtype=object)[np.minimum(steps, len(rule.thresholds)) - 1]
        if isinstance(rule, IntegerProbability):
            score = [-found for found in self._crowd(totals, 0)]
            bounds = -bounds
        elif isinstance(rule, IntegerMargin):
            divisor = torch.from_numpy(steps if rule.mean else np.ones_like(steps))
            score = lead(torch.from_numpy(totals), divisor).tolist()
            bounds = bounds - 1
        elif isinstance(rule, Patience):
            score = _streaks(totals.argmax(1))
        else:
            score = steps.tolist()
        return np.array([one > other for one, other in zip(score, bounds, strict=True)]) & (steps >= rule.min_steps)


def rule_bounds(rule: ExitRule) -> list[int]:
    """Bounds of an exit rule in whole numbers: a sum to be below, a lead to reach, or a number to exceed."""
    if isinstance(rule, IntegerProbability | IntegerMargin):
        return rule.bounds()
    return [2**32 if value == math.inf else 0 if value < 0 else math.floor(value) for value in rule.thresholds]


def _streaks(answers: NDArray[np.int64]) -> list[int]:
    found, length = [], 0
    for step, answer in enumerate(answers):
        length = length + 1 if step and answer == answers[step - 1] else 1
        found.append(length)
    return found


def _expect_rule(rule: Any, unit: float, mean: bool, outputs: int) -> None:
    if rule is None or type(rule) in (FixedSteps, Patience):
        return
    if type(rule) is IntegerMargin and outputs < 2:
        raise InputError("rule: expected at least two outputs for integer-margin, got one. Fit another rule.")
    if type(rule) not in (IntegerProbability, IntegerMargin):
        raise InputError(
            f"rule: expected integer-probability, integer-margin, patience or fixed-steps, got {type(rule).__name__}, which has no integer "
            "form. Fit one of these to a record of the integer network."
        )
    if (rule.unit, rule.mean) != (unit, mean):
        raise InputError(
            f"rule: expected unit={unit!r} and mean={mean}, as the network has, got {rule.unit!r} and {rule.mean}. Fit it again."
        )
