"""Decisions of a rule on recorded outputs, equal to those of a run, without the network."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .records import ExitRecord
from .rules.base import ExitRule, finite_rows


@dataclass(frozen=True, eq=False)
class Decisions:
    """Exit step and answer of each input."""

    steps: Tensor
    """Step of the exit, counted from 1, int64 [N]."""
    answers: Tensor
    """Class with the most evidence at that step, int64 [N]."""
    stopped: Tensor
    """Whether the rule stopped the input; otherwise the input ended first, bool [N]."""


def decide(rule: ExitRule, record: ExitRecord) -> Decisions:
    """Apply a rule to a record; an input that the rule never stops exits at its end."""
    state = rule.init(len(record))
    flags, answers = [], []
    for evidence_t in record.follow(rule):
        stop, state = rule.step(evidence_t, state)
        flags.append(stop)
        answers.append(evidence_t.argmax(-1))
    stops = torch.stack(flags, 1) & record.valid
    stopped = stops.any(1)
    steps = torch.where(stopped, stops.int().argmax(1) + 1, record.ends)
    return Decisions(steps, at_step(torch.stack(answers, 1), steps), stopped)


def scores(rule: ExitRule, record: ExitRecord) -> Tensor:
    """Compute the score of a rule after each step, [N, T]; its threshold does not matter.

    Evidence that has overflowed gets minus infinity, because no rule stops there. Values behind the end of an input have no meaning; see
    `record.valid`.
    """
    memory, columns = rule.init(len(record)).memory, []
    for evidence_t in record.follow(rule):
        score, memory = rule.score(evidence_t, memory)
        columns.append(score.masked_fill(~finite_rows(evidence_t), -torch.inf))
    return torch.stack(columns, 1)


def at_step(values: Tensor, steps: Tensor) -> Tensor:
    """Select from values after every step [N, T] those after step `steps` (int64 [N], counted from 1): [N]."""
    return values.gather(1, steps.unsqueeze(1) - 1).squeeze(1)
