"""Audit of early answers: a random share of inputs is also run to the end, and the disagreement feeds a monitor."""

import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from ..core import Stateful, expect_in
from .batching import Answer
from .monitor import Monitor
from .rules.base import ExitRule
from .rules.fixed_steps import FixedSteps
from .runner import serve


class Audited(NamedTuple):
    """An early answer, and the monitor after it."""

    answer: Answer
    full: Answer | None
    """Answer of the full run; None for inputs that are not audited."""
    monitor: Monitor


def audit(
    model: Stateful,
    requests: Iterable[Tensor],
    rule: ExitRule,
    monitor: Monitor,
    share: float = 0.05,
    seed: int | None = None,
    **options: Any,
) -> Iterator[Audited]:
    """Answer a stream of requests as `serve`, and run a random share of them to the end as well, after their early answer.

    The full runs are a stream of their own, so that checks and tables of the network are made once and not for every audited input. An
    input that is audited alone, while it arrives, can go on from the state of its exit instead: see `follow`, `to_end`.

    No labels are needed: a loss is an early answer that differs from that of the full run, so `monitor.eps` should be a guarantee for the
    loss "disagreement". The share is chosen independently of the inputs, so the audited ones represent all.

    Args:
        model, requests, rule: as in `serve`.
        monitor: state of the monitor so far.
        share: probability that an input is audited, above 0 up to 1; each costs a full run.
        seed: seed of the choice; None takes one from the operating system, so that it cannot be predicted.
        **options: batching, accumulation, batch_size and block, as in `serve`.
    """
    expect_in(share, "(0, 1]", "share")
    dice, kept, due = random.Random(seed), dict[int, Tensor](), deque[Tensor]()

    def watched() -> Iterator[Tensor]:
        for index, x in enumerate(requests):
            if dice.random() < share:
                kept[index] = x
            yield x

    def audited() -> Iterator[Tensor]:
        while due:
            yield due.popleft()

    full_runs = serve(model, audited(), FixedSteps(float("inf")), accumulation=options.get("accumulation", "sum"), batch_size=1)
    for answer in serve(model, watched(), rule, **options):
        full = None
        if answer.index in kept:
            due.append(kept.pop(answer.index))
            full = replace(next(full_runs), index=answer.index)
            monitor = monitor.observe([full.answer != answer.answer])
        yield Audited(answer, full, monitor)
