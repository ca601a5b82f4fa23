"""Figures of a policy by group of inputs, and by stopping time."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..decisions import decide
from ..losses import exit_losses
from ..records import ExitRecord
from ..rules.base import ExitRule

_TIMES = 5
"""Parts of about equal size by stopping time."""


@dataclass(frozen=True)
class PartFigures:
    """Figures of some of the inputs."""

    name: str
    count: int
    mean_steps: float
    accuracy: float
    risk: float
    """Share of inputs with the loss."""


def by_group(rule: ExitRule, record: ExitRecord, loss: str) -> tuple[PartFigures, ...]:
    """Figures of each group of a record; none if the groups are unknown. Needs labels.

    Args:
        rule: a fitted rule.
        record: N inputs.
        loss: as in `Guarantee`.
    """
    if record.groups is None:
        return ()
    kind = record.grouped_by or "group"
    return _parts(rule, record, loss, [(f"{kind} {group}", record.groups == group) for group in sorted(set(record.groups.tolist()))])


def by_stopping_time(rule: ExitRule, record: ExitRecord, loss: str) -> tuple[PartFigures, ...]:
    """Figures of the inputs by stopping time, in up to five parts of about equal size. Needs labels.

    Args:
        rule: a fitted rule.
        record: N inputs.
        loss: as in `Guarantee`.
    """
    steps = decide(rule, record).steps
    ends = sorted(set(steps.sort().values[(torch.arange(1, _TIMES + 1) * len(steps) / _TIMES).ceil().long() - 1].tolist()))
    starts = [int(steps.min()), *(end + 1 for end in ends[:-1])]
    return _parts(
        rule,
        record,
        loss,
        [
            (f"step {low} to {high}" if low < high else f"step {high}", (steps >= low) & (steps <= high))
            for low, high in zip(starts, ends, strict=True)
        ],
    )


def _parts(rule: ExitRule, record: ExitRecord, loss: str, parts: list[tuple[str, Tensor]]) -> tuple[PartFigures, ...]:
    decisions, lost = decide(rule, record), exit_losses(rule, record, loss)
    right = decisions.answers == record.truth
    return tuple(
        PartFigures(name, int(chosen.sum()), *(_mean(values[chosen]) for values in (decisions.steps, right, lost)))
        for name, chosen in parts
    )


def _mean(values: Tensor) -> float:
    return values.double().mean().item()
