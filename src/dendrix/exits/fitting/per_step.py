"""Thresholds per step that depend on a single parameter: a path that is fixed before its parameter is certified."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..statistics import require_scipy
from .outcomes import Traces

_Values = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """Thresholds of all steps as a function of one level: at each step the lowest above which stopping is safer than the level.

    The safety of a score at a step is the share of inputs with about this score that lose nothing at this and all later steps, fitted by
    isotonic regression, with one loss added to each of its blocks so that few inputs never seem certain. A higher level never lowers a
    threshold, so a walk along the levels tests nested rules, as a walk along the thresholds does.

    Source: ours, after the per-step cut-offs of Wu et al., arXiv 2301.09522.
    """

    candidates: list[_Values]
    """Thresholds of each step, rising, from 0."""
    safety: list[_Values]
    """Safety of the scores above each candidate, up to the next one; rising."""
    never: float
    """Threshold of a step at which no score suffices."""

    def level(self, score: Tensor) -> Tensor:
        """Level below which each score suffices to stop, [N, T] -> float64 [N, T]; minus infinity where none does."""
        columns = []
        for t, candidates in enumerate(self.candidates):
            below = np.searchsorted(candidates, score[:, t].double().numpy()) - 1
            found = np.where(below < 0, 0, self.safety[t][below.clip(0)])
            columns.append(np.where(found > 0, found, -np.inf))
        return torch.from_numpy(np.stack(columns, 1))

    def thresholds(self, level: float) -> tuple[float, ...]:
        """Thresholds per step for a level."""
        found = [np.searchsorted(safety, level, side="right") for safety in self.safety]
        return tuple(float(c[i]) if i < len(c) else self.never for c, i in zip(self.candidates, found, strict=True))


def fit_path(traces: Traces, lost: Tensor, never: float) -> Path:
    """Fit a path to these inputs by isotonic regression, in O(N T log N).

    Args:
        traces: scores of N inputs at T steps.
        lost: whether an exit after each step is a loss, bool [N, T].
        never: threshold of a step at which no score suffices.
    """
    safe = ~lost.flip(1).cummax(1).values.flip(1)
    steps = [_safety(score.double().numpy(), kept.numpy()) for score, kept in zip(traces.score.unbind(1), safe.unbind(1), strict=True)]
    return Path([candidates for candidates, _ in steps], [safety for _, safety in steps], never)


def _safety(score: _Values, safe: NDArray[np.bool_]) -> tuple[_Values, _Values]:
    """Candidates of one step, and the safety of the scores above each."""
    usable = score > -np.inf
    if not usable.any():  # no input reaches this step, so nothing is known about its safety
        return np.zeros(1), np.zeros(1)
    distinct, place = np.unique(score[usable], return_inverse=True)
    kept, count = np.bincount(place, safe[usable]), np.bincount(place)
    starts = require_scipy().optimize.isotonic_regression(kept / count, weights=count).blocks[:-1]
    safe_in, all_in = np.add.reduceat(kept, starts), np.add.reduceat(count, starts)
    # Blocks whose means are equal but for rounding are one block.
    starts = starts[np.concatenate([[True], safe_in[1:] * all_in[:-1] > safe_in[:-1] * all_in[1:]])]
    safety = np.add.reduceat(kept, starts) / (np.add.reduceat(count, starts) + 1)
    # The scores above a candidate begin at the next distinct score.
    return np.concatenate([[0.0], distinct])[starts], np.maximum.accumulate(safety)
