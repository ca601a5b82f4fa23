"""One threshold per step from a single parameter: a path that is fixed before its parameter is certified."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .goal import Goal
from .sweep import Traces

_Values = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """Thresholds for all steps as a function of one level: at each step the lowest whose precision exceeds the level.

    The precision of a threshold is the share of inputs above it that lose nothing there or at any later step; one loss is added to
    each count, so that few inputs never look certain. A higher level gives thresholds that are nowhere lower, so a walk along the
    levels tests nested rules, as a walk along the thresholds does.

    Source: ours, after the per-step cut-offs of Wu et al., arXiv 2301.09522.
    """

    candidates: list[_Values]
    """Thresholds of each step, rising, from 0."""
    precision: list[_Values]
    """The best precision of this candidate and all lower ones."""
    never: float
    """The threshold of a step at which no score is enough."""

    def level(self, score: Tensor) -> Tensor:
        """The level below which each score is enough to stop, [N, T] -> float64 [N, T]; minus infinity where it never is."""
        columns = []
        for t, candidates in enumerate(self.candidates):
            below = np.searchsorted(candidates, score[:, t].double().numpy()) - 1
            found = np.where(below < 0, 0, self.precision[t][below.clip(0)])
            columns.append(np.where(found > 0, found, -np.inf))
        return torch.from_numpy(np.stack(columns, 1))

    def thresholds(self, level: float) -> tuple[float, ...]:
        """One threshold per step."""
        found = [np.searchsorted(precision, level, side="right") for precision in self.precision]
        return tuple(float(c[i]) if i < len(c) else self.never for c, i in zip(self.candidates, found, strict=True))


def fit_path(traces: Traces, goal: Goal, never: float) -> Path:
    """The path that these inputs suggest for a goal, in O(N T log N)."""
    drops = traces.drops
    lost = traces.differs if drops is None or not goal.needs_labels else drops
    safe = ~lost.flip(1).cummax(1).values.flip(1)
    steps = [_precision(score.double().numpy(), kept.numpy()) for score, kept in zip(traces.score.unbind(1), safe.unbind(1), strict=True)]
    return Path([candidates for candidates, _ in steps], [precision for _, precision in steps], never)


def _precision(score: _Values, safe: NDArray[np.bool_]) -> tuple[_Values, _Values]:
    """The candidates of one step, and the best precision up to each."""
    usable = score > -np.inf
    if not usable.any():  # no input came that far: nothing says that it would be safe to stop there
        return np.zeros(1), np.zeros(1)
    order = np.argsort(score[usable])
    distinct, first = np.unique(score[usable][order], return_index=True)
    above = np.arange(len(order), 0, -1)
    share = safe[usable][order][::-1].cumsum()[::-1] / (above + 1)
    # "Above a candidate" is "from the next distinct score up"; above the last there is nobody.
    return np.concatenate([[0.0], distinct[:-1]]), np.maximum.accumulate(share[first])
