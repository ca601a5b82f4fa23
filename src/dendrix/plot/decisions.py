"""Figures of decisions over time."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..checks import expect_in
from ..errors import InputError
from .arguments import numbers
from .style import COLOURS, LEARNED, QUIET, REFERENCE, axis_or_new

_NAMED = 4
"""Number of classes that are drawn in colour and named."""


def evidence(
    confidence: ArrayLike,
    labels: Sequence[str],
    dt_ms: float = 1.0,
    *,
    exit_step: int | None = None,
    axis: Any = None,
    title: str = "The decision over time",
) -> Any:
    """Draw the confidence in every class over time, and the moment of an early exit.

    The classes with the highest final or largest confidence are named. Others are grey; one that leads at some step is named there.

    Args:
        confidence: 0 to 1, [T, K].
        labels: names of the K classes.
        dt_ms: length of a step, in ms.
        exit_step: number of steps after which an exit rule stopped; None draws no exit.
        axis: matplotlib axis; None makes a figure.
        title: title of the axis.
    """
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    share = 100 * numbers(confidence, "TK", "confidence")
    if len(labels) != share.shape[1]:
        raise InputError(f"labels: expected {share.shape[1]}, one per class, got {len(labels)}.")
    axis = axis_or_new(axis, title, "time since the start, ms", "confidence, %")
    time = dt_ms * (np.arange(len(share)) + 1)
    named = np.argsort(-(share[-1] + share.max(0) / 1000), kind="stable")[: min(_NAMED, share.shape[1])]
    others = sorted(set(range(share.shape[1])) - set(named.tolist()))
    leads = share.argmax(1)
    for index in others:
        axis.plot(time, share[:, index], color=QUIET, linewidth=1)
        if (led := np.flatnonzero(leads == index)).size:
            best = led[share[led, index].argmax()]
            axis.annotate(labels[index], (time[best], share[best, index]), fontsize=8, color=REFERENCE, ha="center", va="bottom")
    for colour, index in zip(cycle((LEARNED, COLOURS[1], *COLOURS[3:])), named, strict=False):
        axis.plot(time, share[:, index], color=colour, linewidth=2, label=labels[index])
    if exit_step is not None:
        axis.axvline(exit_step * dt_ms, color=COLOURS[5], linestyle="--", label="exit")
    axis.set_ylim(0, 108)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return axis


def accuracy_over_time(
    curves: Mapping[str, Sequence[float]], dt_ms: float = 1.0, *, axis: Any = None, title: str = "Accuracy by time of the decision"
) -> Any:
    """Draw the accuracy of a decision after each step, one line per network.

    Args:
        curves: accuracies, 0 to 1, one per step, by the name of the network.
        dt_ms: length of a step, in ms.
        axis, title: as in `evidence`.
    """
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    axis = axis_or_new(axis, title, "time of the decision, ms", "accuracy, %")
    colours = cycle(COLOURS if len(curves) > 1 else COLOURS[2:])
    for colour, (name, values) in zip(colours, curves.items(), strict=False):
        line = 100 * numbers(values, "T", name)
        axis.plot(dt_ms * (np.arange(len(line)) + 1), line, color=colour, label=name, linewidth=2)
    axis.set_ylim(0, 102)
    if len(curves) > 1:
        axis.legend(frameon=False, loc="upper left")
    return axis
