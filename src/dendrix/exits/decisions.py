"""What a rule would have done with recorded outputs: the same as running it, without the network."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .records import ExitRecord
from .rules.base import ExitRule, finite_rows


@dataclass(frozen=True, eq=False)
class Decisions:
    """When each input stopped and what it answered."""

    steps: Tensor
    """The step after which it stopped, counted from 1, int64 [N]."""
    answers: Tensor
    """The class with the most evidence then, int64 [N]."""
    stopped: Tensor
    """Whether the rule stopped it; otherwise its input ended first, bool [N]."""


def decide(rule: ExitRule, record: ExitRecord) -> Decisions:
    """Apply a rule to a record; an input that the rule never stops is decided at its end."""
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
    """The rule's score after each step, [N, T]: what a fit of its threshold looks at. The threshold itself does not matter.

    Evidence that has grown beyond all numbers has minus infinity, because no rule stops there. What stands behind an input's end means
    nothing; `record.valid` tells.
    """
    memory, columns = rule.init(len(record)).memory, []
    for evidence_t in record.follow(rule):
        score, memory = rule.score(evidence_t, memory)
        columns.append(score.masked_fill(~finite_rows(evidence_t), -torch.inf))
    return torch.stack(columns, 1)


def at_step(values: Tensor, steps: Tensor) -> Tensor:
    """Of values after every step [N, T], those after step `steps` (int64 [N], counted from 1): [N]."""
    return values.gather(1, steps.unsqueeze(1) - 1).squeeze(1)
