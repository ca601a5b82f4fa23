"""Thresholds per step by dynamic programming: for every price of a step those of least total cost."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .outcomes import Traces
from .per_step import Path

PRICES = tuple(np.geomspace(1e-4, 1.0, 81).tolist())
"""Prices of one step, in losses."""

_Values = NDArray[np.float64]


def fit_dynamic_path(traces: Traces, lost: Tensor, never: float) -> Path:
    """Fit a path to these inputs by dynamic programming, in O(P N T log N) for P prices.

    For a price of a step, the threshold of each step from the last to the first is the one with the least cost on these inputs: the loss
    and the price of the steps of those that it stops, and of those that it does not under the thresholds of later steps. A higher price
    lowers thresholds; where it would raise one, the lower of the two is kept, so that the thresholds of all prices are one path. One loss
    is added to every step that stops any input, so that few inputs never seem certain.

    Args:
        traces: scores of N inputs at T steps.
        lost: whether an exit after each step is a loss, bool [N, T].
        never: threshold of a step at which no score suffices.
    Source: backward induction, Bellman (1957); with empirical costs as Longstaff & Schwartz (2001). In this form ours.
    """
    score, losses = traces.score.double().numpy(), lost.double().numpy()
    ends = traces.ends.numpy()
    at_end = losses[np.arange(len(ends)), ends - 1]
    lowest = np.full(score.shape[1], np.inf)
    table = []
    for price in PRICES:
        lowest = np.minimum(lowest, _thresholds(score, losses, at_end + price * ends, price, never))
        table.append(lowest)
    levels = 1 / (1 + np.array(PRICES))
    candidates, safety = [], []
    for column in np.array(table).T:
        thresholds, where = np.unique(column, return_index=True)  # of equal thresholds the lowest price
        usable = thresholds < never
        # A score at which no price stops has no level.
        candidates.append(thresholds[usable] if usable.any() else np.zeros(1))
        safety.append(levels[where[usable]] if usable.any() else np.zeros(1))
    return Path(candidates, safety, never)


def _thresholds(score: _Values, losses: _Values, cost: _Values, price: float, never: float) -> _Values:
    """Thresholds of all steps for one price; `cost` is that of running to the end, [N]."""
    found = np.full(score.shape[1], never)
    for t in reversed(range(score.shape[1])):
        rows = np.flatnonzero(score[:, t] > -np.inf)
        if not len(rows):
            continue
        rows = rows[np.argsort(-score[rows, t], kind="stable")]
        ranked, now = score[rows, t], losses[rows, t] + price * (t + 1)
        saved = np.concatenate([[0.0], np.cumsum(cost[rows] - now) - 1])
        apart = np.concatenate([[True], ranked[1:] != ranked[:-1], [True]])
        best = int(np.argmax(np.where(apart, saved, -np.inf)))
        if best:
            found[t] = ranked[best] if best < len(ranked) else 0.0
            cost[rows[:best]] = now[:best]
    return found
