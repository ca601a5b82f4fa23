"""One threshold per step from a single parameter: a path that is fixed before its parameter is certified."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..statistics import require_scipy
from .goals import Goal
from .outcomes import Traces

_Values = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """Thresholds for all steps as a function of one level: at each step the lowest above which stopping is safer than the level.

    How safe a score is at a step is the share of inputs about there that lose nothing then and at no later step, made to rise with the
    score by isotonic regression; one loss is added to each of its blocks, so that few inputs never look certain. A higher level gives
    thresholds that are nowhere lower: a walk along the levels tests nested rules, as a walk along the thresholds does.

    Source: ours, after the per-step cut-offs of Wu et al., arXiv 2301.09522.
    """

    candidates: list[_Values]
    """Thresholds of each step, rising, from 0."""
    safety: list[_Values]
    """How safe the scores above each candidate are, up to the next one; rising."""
    never: float
    """The threshold of a step at which no score is enough."""

    def level(self, score: Tensor) -> Tensor:
        """The level below which each score is enough to stop, [N, T] -> float64 [N, T]; minus infinity where it never is."""
        columns = []
        for t, candidates in enumerate(self.candidates):
            below = np.searchsorted(candidates, score[:, t].double().numpy()) - 1
            found = np.where(below < 0, 0, self.safety[t][below.clip(0)])
            columns.append(np.where(found > 0, found, -np.inf))
        return torch.from_numpy(np.stack(columns, 1))

    def thresholds(self, level: float) -> tuple[float, ...]:
        """One threshold per step."""
        found = [np.searchsorted(safety, level, side="right") for safety in self.safety]
        return tuple(float(c[i]) if i < len(c) else self.never for c, i in zip(self.candidates, found, strict=True))


def fit_path(traces: Traces, goal: Goal, never: float) -> Path:
    """The path that these inputs suggest for a goal, in O(N T log N)."""
    drops = traces.drops
    lost = traces.differs if drops is None or not goal.needs_labels else drops
    safe = ~lost.flip(1).cummax(1).values.flip(1)
    steps = [_safety(score.double().numpy(), kept.numpy()) for score, kept in zip(traces.score.unbind(1), safe.unbind(1), strict=True)]
    return Path([candidates for candidates, _ in steps], [safety for _, safety in steps], never)


def _safety(score: _Values, safe: NDArray[np.bool_]) -> tuple[_Values, _Values]:
    """The candidates of one step, and how safe the scores above each are."""
    usable = score > -np.inf
    if not usable.any():  # no input came that far: nothing says that it would be safe to stop there
        return np.zeros(1), np.zeros(1)
    distinct, place = np.unique(score[usable], return_inverse=True)
    kept, count = np.bincount(place, safe[usable]), np.bincount(place)
    starts = require_scipy().optimize.isotonic_regression(kept / count, weights=count).blocks[:-1]
    safe_in, all_in = np.add.reduceat(kept, starts), np.add.reduceat(count, starts)
    # Blocks whose means are equal but for rounding are one block.
    starts = starts[np.concatenate([[True], safe_in[1:] * all_in[:-1] > safe_in[:-1] * all_in[1:]])]
    safety = np.add.reduceat(kept, starts) / (np.add.reduceat(count, starts) + 1)
    # What lies above a candidate begins at the next distinct score.
    return np.concatenate([[0.0], distinct])[starts], np.maximum.accumulate(safety)
