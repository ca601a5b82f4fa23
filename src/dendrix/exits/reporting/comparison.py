"""Comparison of rules, each with its best threshold in hindsight."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ..fitting.goals import Pareto, labelled, pareto_front
from ..fitting.outcomes import sweep, trace
from ..policy import named_rule
from ..records import ExitRecord
from ..rules.base import ExitRule
from ..rules.names import SCALED, name_of
from .bounds import Curve
from .calibration import failure_prediction

Points = tuple[tuple[float, float], ...]
"""(mean steps, accuracy) along a curve."""

_POINTS = 200
"""Largest number of points of a front that are kept."""


@dataclass(frozen=True)
class RuleFigures:
    """One rule with its best single threshold in hindsight: compares rules, not the results of fits."""

    steps_without_loss: float
    """Smallest mean number of steps without a loss of accuracy relative to the full run."""
    accuracy: float | None
    """Best accuracy within the mean steps of the policy; None if the rule cannot be that fast."""
    auroc: float | None
    """AUROC of the score at the threshold without loss, see `failure_prediction`."""
    front: Points
    """Points for which no threshold is faster and as accurate."""


def compare(rule: ExitRule, others: Sequence[str | ExitRule], record: ExitRecord, mean_steps: float) -> dict[str, RuleFigures]:
    """Compare a rule and others on one record, by name; the second with the same name is called "margin (2)". Needs labels.

    Args:
        rule: the first.
        others: names, which get the scale of the first rule, or rules with settings of their own.
        record: N inputs.
        mean_steps: largest mean number of steps for `accuracy`.
    """
    rules = [rule, *(_with_scale(other, scale_of(rule)) if isinstance(other, str) else other for other in others)]
    found: dict[str, RuleFigures] = {}
    for one in rules:
        again = sum(type(one) is type(earlier) for earlier in rules[: len(found)])
        found[f"{name_of(one)} ({again + 1})" if again else name_of(one)] = _figures(one, record, mean_steps)
    return found


def points(curve: Curve) -> Points:
    """Convert a curve to plain numbers, without the caps at which an oracle that excludes inputs has none left."""
    return tuple((steps, right) for steps, right in zip(curve.steps.tolist(), curve.accuracy.tolist(), strict=True) if math.isfinite(steps))


def scale_of(rule: ExitRule) -> float:
    """Scale of a rule; 1 for a rule without a scale."""
    return rule.scale if isinstance(rule, SCALED) else 1.0


def _with_scale(name: str, scale: float) -> ExitRule:
    rule = named_rule(name)
    return replace(rule, scale=scale) if isinstance(rule, SCALED) else rule


def _figures(rule: ExitRule, record: ExitRecord, mean_steps: float) -> RuleFigures:
    outcomes = sweep(trace(rule, record))
    steps, accuracy = outcomes.steps.double() / len(record), labelled(outcomes)[0].double() / len(record)
    lossless = Pareto().choose(outcomes)
    stopping = replace(rule, threshold=outcomes.thresholds[lossless].item())
    within = accuracy[steps <= mean_steps + 1e-9]
    front = torch.from_numpy(pareto_front(steps.numpy(), accuracy.numpy())).nonzero().squeeze(1)
    if len(front) > _POINTS:
        front = front[torch.linspace(0, len(front) - 1, _POINTS).round().long()]
    return RuleFigures(
        steps_without_loss=steps[lossless].item(),
        accuracy=within.max().item() if len(within) else None,
        auroc=failure_prediction(stopping, record),
        front=tuple(zip(steps[front].flip(0).tolist(), accuracy[front].flip(0).tolist(), strict=True)),
    )
