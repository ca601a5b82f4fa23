"""Contents of an export: an integer network with its front end, decision, exit rule and abstention."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import expect_in
from ..data.speech.integer_mel import IntegerMel, Ints
from ..errors import InputError
from ..exits import ExitRule, FixedSteps, IntegerProbability, Patience
from ..exits.rules.integer_probability import crowd
from ..models import Decision
from .network import IntegerNetwork
from .samples import expect_samples

ACCUMULATIONS = ("sum", "mean", "last")
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


@dataclass(frozen=True)
class Deployed:
    """A network that is complete: from samples or frames to a decision, in whole numbers.

    Raises:
        InputError: a part has no integer form, or the parts do not fit together.
    """

    network: IntegerNetwork
    labels: tuple[str, ...]
    decision: Decision
    encoder: IntegerMel | None = None
    """None: frames are pushed."""
    dt_ms: float = 1.0
    """Length of a step, in ms."""
    rule: ExitRule | None = None
    """When to stop early; None runs to the end."""
    abstain: float = 0.0
    """Probability below which there is no answer."""

    def __post_init__(self) -> None:
        expect_in(self.abstain, "[0, 1]", "abstain")
        if self.decision.accumulation not in ACCUMULATIONS:
            raise InputError(
                f"accumulation: expected one of {', '.join(ACCUMULATIONS)}, got '{self.decision.accumulation}', which has no integer form."
            )
        if self.encoder is not None and (self.encoder.channels, self.encoder.shift) != (
            self.network.inputs.channels,
            self.network.inputs.shift,
        ):
            raise InputError(
                f"encoder: expected the form of the input {self.network.inputs}, got {self.encoder}. Make it for this network."
            )
        if len(self.labels) != self.network.forms[-1].outputs:
            raise InputError(f"labels: expected {self.network.forms[-1].outputs}, got {len(self.labels)}. Name every output.")
        _expect_rule(self.rule, self.network.unit, self.decision.accumulation == "mean")

    @property
    def tail(self) -> int:
        """Number of steps without input that follow the end of an input."""
        return self.decision.tail_steps(self.dt_ms)

    @property
    def probability(self) -> IntegerProbability:
        """The rule whose probability is the confidence."""
        if isinstance(self.rule, IntegerProbability):
            return self.rule
        return IntegerProbability(1.0, unit=self.network.unit, mean=self.decision.accumulation == "mean")

    def frames(self, values: Ints) -> Ints:
        """Frames [T, C], without the tail, of 16-bit samples or of the values of frames one after another, [N]; the last one is filled.

        Raises:
            InputError: see `expect_samples`.
        """
        values = expect_samples(values, "values")
        whole = np.pad(values, (0, -len(values) % self.step))
        if self.encoder is None:
            frames = whole.reshape(-1, self.network.inputs.channels)
        else:
            frames, _ = self.encoder.run(whole, self.encoder.init_state())
        return np.clip(frames, self.network.inputs.low, -self.network.inputs.low - 1)

    @property
    def step(self) -> int:
        """Number of values that make one step."""
        return self.network.inputs.channels if self.encoder is None else self.encoder.hop

    def totals(self, values: Ints) -> Ints:
        """Accumulated outputs after every step of an input and its tail, [T, K]."""
        frames = np.pad(self.frames(values), ((0, self.tail), (0, 0)))
        outputs = self.network.run(torch.from_numpy(frames).unsqueeze(0))[0][0].numpy()
        return outputs if self.decision.accumulation == "last" else outputs.cumsum(0)

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
        elif isinstance(rule, Patience):
            score = _streaks(totals.argmax(1))
        else:
            score = steps.tolist()
        return np.array([one > other for one, other in zip(score, bounds, strict=True)]) & (steps >= rule.min_steps)


def rule_bounds(rule: ExitRule) -> list[int]:
    """Bounds of an exit rule in whole numbers: a sum to be below, or a number to exceed."""
    if isinstance(rule, IntegerProbability):
        return rule.bounds()
    return [2**32 if value == math.inf else 0 if value < 0 else math.floor(value) for value in rule.thresholds]


def _streaks(answers: NDArray[np.int64]) -> list[int]:
    found, length = [], 0
    for step, answer in enumerate(answers):
        length = length + 1 if step and answer == answers[step - 1] else 1
        found.append(length)
    return found


def _expect_rule(rule: ExitRule | None, unit: float, mean: bool) -> None:
    if rule is None or type(rule) in (FixedSteps, Patience):
        return
    if type(rule) is not IntegerProbability:
        raise InputError(
            f"rule: expected integer-probability, patience or fixed-steps, got {type(rule).__name__}, which has no integer form. "
            "Fit one of these to a record of the integer network."
        )
    if (rule.unit, rule.mean) != (unit, mean):
        raise InputError(
            f"rule: expected unit={unit!r} and mean={mean}, as the network has, got {rule.unit!r} and {rule.mean}. Fit it again."
        )


def exit_rule(network: IntegerNetwork, decision: Decision, scale: float = 1.0) -> IntegerProbability:
    """The rule max-probability in whole numbers for a network, with a threshold at which it never stops; to be fitted."""
    return IntegerProbability(1.0, scale=scale, unit=network.unit, mean=decision.accumulation == "mean")
