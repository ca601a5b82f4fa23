"""Evidence and exit rules inside the compiled loop, one row and step at a time. `dendrix.core.evidence` and `dendrix.exits.rules` define
them.
"""

from functools import partial
from typing import Any

import numpy as np

from ..compiled import cached_jit

_inlined = partial(cached_jit, fastmath={"contract"}, inlined=True)

SUM, MEAN, LAST, MAX, SOFTMAX_SUM = 0, 1, 2, 3, 4
"""Accumulations, in the order of `ACCUMULATIONS`."""

MAX_PROBABILITY, MARGIN, ENTROPY, PATIENCE, FIXED_STEPS = 0, 1, 2, 3, 4
"""Exit rules."""

RUNS, STOPPED, ENDED, BROKEN = 0, 1, 2, 3
"""How a row ended: by its rule, at its last step, or with a NaN or an infinity."""


@_inlined
def all_finite(values: Any, count: Any) -> Any:
    """Whether none of the first values is a NaN or an infinity."""
    total = values[0]
    for k in range(1, count):
        total += np.float32(0) * values[k]
    return np.isfinite(total)


@_inlined
def first_largest(values: Any) -> Any:
    """Index of the largest value, the first of several."""
    best = 0
    for k in range(1, len(values)):
        if values[k] > values[best]:
            best = k
    return best


@_inlined
def gather(outputs: Any, accumulation: Any, steps: Any, kept: Any, now: Any) -> None:
    """Accumulate the outputs of a step in `kept`, and write the evidence after it to `now`."""
    if accumulation == SOFTMAX_SUM:
        top, total = outputs[0], np.float32(0)
        for k in range(1, len(now)):
            top = max(top, outputs[k])
        for k in range(len(now)):
            now[k] = np.exp(outputs[k] - top)
            total += now[k]
        for k in range(len(now)):
            kept[k] += now[k] / total
    elif accumulation == LAST:
        for k in range(len(now)):
            kept[k] = outputs[k]
    elif accumulation == MAX:
        for k in range(len(now)):
            kept[k] = max(kept[k], outputs[k])
    else:
        for k in range(len(now)):
            kept[k] += outputs[k]
    for k in range(len(now)):
        now[k] = kept[k] / np.float32(steps) if accumulation == MEAN else kept[k]


@_inlined
def stops(evidence: Any, rule: Any, scale: Any, threshold: Any, allowed: Any, steps: Any, seen: Any) -> Any:
    """Whether the score of a rule exceeds the threshold after this step; `allowed`: from the earliest step on.

    `seen` holds the last answer and the number of steps since it changed.
    """
    if rule == PATIENCE:
        answer = first_largest(evidence)
        seen[1] = seen[1] + 1 if answer == seen[0] else 1
        seen[0] = answer
    if not (allowed and all_finite(evidence, len(evidence))):
        return False
    if rule == PATIENCE:
        return seen[1] > threshold
    if rule == FIXED_STEPS:
        return steps > threshold
    if rule == MARGIN:
        return _margin(evidence) > threshold
    if rule == MAX_PROBABILITY:
        return _probability(evidence, scale, threshold) > threshold
    return _certainty(evidence, scale) > threshold


@_inlined
def end_of(
    evidence: Any, finite: Any, may_stop: Any, rule: Any, scale: Any, thresholds: Any, earliest: Any, step: Any, length: Any, seen: Any
) -> Any:
    """How a row ends after this step of `length`, or RUNS; `may_stop`: the rule has not stopped it yet."""
    if not finite:
        return BROKEN
    if may_stop and stops(evidence, rule, scale, thresholds[min(step, len(thresholds)) - 1], step >= earliest, step, seen):
        return STOPPED
    return ENDED if step == length else RUNS


@_inlined
def _margin(evidence: Any) -> Any:
    first, second = -np.inf, -np.inf
    for k in range(len(evidence)):
        value = evidence[k]
        if value > first:
            first, second = value, first
        elif value > second:
            second = value
    return np.float32(first) - np.float32(second)


@_inlined
def _probability(evidence: Any, scale: Any, threshold: Any) -> Any:
    """Largest probability, or, to save the exponentials of most classes, zero as soon as it cannot exceed the threshold."""
    top, total = np.float64(evidence[first_largest(evidence)]), 0.0
    for k in range(len(evidence)):
        total += np.exp((evidence[k] - top) / scale)
        if total * threshold >= 1:
            return 0.0
    return 1 / total


@_inlined
def _certainty(evidence: Any, scale: Any) -> Any:
    """1 - H / ln K."""
    top, total = np.float64(evidence[first_largest(evidence)]), 0.0
    for k in range(len(evidence)):
        total += np.exp((evidence[k] - top) / scale)
    entropy, log = 0.0, np.log(total)
    for k in range(len(evidence)):
        late = (evidence[k] - top) / scale - log
        entropy -= np.exp(late) * late
    return min(max(1 - entropy / np.log(len(evidence)), 0.0), 1.0)
