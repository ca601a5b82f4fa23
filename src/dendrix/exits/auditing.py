"""Audit of early answers: a random share of inputs also runs on to the end, and the disagreement feeds a monitor."""

import random
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from torch import Tensor

from ..core import Stateful, expect_in
from .batching import Answer
from .monitor import Monitor
from .rules.base import ExitRule
from .runner import serve_with_ends


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
    """Answer a stream of requests as `serve`, and run a random share of them on to the end, from the state of their exit.

    The early answer of an audited input is yielded with that of its full run. To have it at the exit, run the input alone: see `follow`,
    `to_end`.

    No labels are needed: a loss is an early answer that differs from that of the full run, so `monitor.eps` should be a guarantee for the
    loss "disagreement". The share is chosen independently of the inputs, so the audited ones represent all.

    Args:
        model, requests, rule: as in `serve`.
        monitor: state of the monitor so far.
        share: probability that an input is audited, above 0 up to 1; each costs the steps from its exit to its end.
        seed: seed of the choice; None takes one from the operating system, so that it cannot be predicted.
        **options: batching, accumulation, batch_size, block and in_order, as in `serve`.
    """
    expect_in(share, "(0, 1]", "share")
    dice = random.Random(seed)
    for answer, full in serve_with_ends(model, requests, rule, lambda _: dice.random() < share, **options):
        if full is not None:
            monitor = monitor.observe([full.answer != answer.answer])
        yield Audited(answer, full, monitor)
