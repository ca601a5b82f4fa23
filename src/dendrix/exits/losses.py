"""Losses of an exit rule on recorded inputs, one by one: what a guarantee bounds, a report breaks down and a monitor observes."""

import torch
from torch import Tensor

from ..core import expect_one_of
from ..errors import InputError
from .decisions import decide
from .fitting.outcomes import LOSSES
from .records import ExitRecord
from .rules.base import ExitRule
from .rules.prediction_set import PredictionSet


def exit_losses(rule: ExitRule, record: ExitRecord, loss: str = "accuracy-drop") -> Tensor:
    """Whether each input has a loss under a rule, bool [N].

    Args:
        rule: a fitted rule.
        record: N inputs.
        loss: as in `Guarantee`; all but "disagreement" need labels.
    Raises:
        ValueError: labels are missing, or "missed-class" is given for a rule without prediction sets.
    """
    expect_one_of(loss, LOSSES, "loss")
    if loss == "missed-class":
        return ~prediction_sets(rule, record)[torch.arange(len(record)), record.truth]
    decisions, full = decide(rule, record), record.answers(rule)[:, -1]
    if loss == "disagreement":
        return decisions.answers != full
    wrong = decisions.answers != record.truth
    return wrong & (full == record.truth) if loss == "accuracy-drop" else wrong & decisions.stopped


def prediction_sets(rule: ExitRule, record: ExitRecord) -> Tensor:
    """Prediction sets at the exit, bool [N, K].

    Raises:
        ValueError: the rule has no prediction sets.
    """
    if not isinstance(rule, PredictionSet):
        raise InputError(f"rule: expected PredictionSet, got {type(rule).__name__}, which has no sets. Fit with the rule prediction-set.")
    found = torch.zeros(len(record), record.outputs.shape[2], dtype=torch.bool)
    steps = decide(rule, record).steps
    for step, evidence_t in enumerate(record.follow(rule), 1):
        now = steps == step
        if now.any():
            found[now] = rule.members(evidence_t[now])
    return found
