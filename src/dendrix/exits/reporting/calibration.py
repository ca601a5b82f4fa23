"""Calibration of class probabilities, prediction of failures, and bootstrap intervals."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...core import expect_in
from ..decisions import at_step, decide, scores
from ..records import ExitRecord
from ..rules.base import ExitRule
from ..statistics import require_scipy

_AT_ONCE = 2**22
"""Numbers that a bootstrap draws at once; together they may fill the memory."""


@dataclass(frozen=True)
class Calibration:
    """Calibration of the class probabilities, over all valid steps and for each step."""

    ece: float
    """Expected calibration error, 0 to 1."""
    nll: float
    """Mean negative log-likelihood of the true class, in nats."""
    ece_per_step: list[float]
    """Over the inputs that have that step, up to the last step of the longest."""
    nll_per_step: list[float]


def calibration(record: ExitRecord, scale: float = 1.0, bins: int = 15) -> Calibration:
    """Measure the calibration of softmax(evidence / scale). Needs labels; leaves out inputs of none of the classes.

    Args:
        record: N inputs, up to T steps.
        scale: divides the evidence, as in `MaxProbability`.
        bins: see `ece`.
    """
    expect_in(scale, "(0, inf)", "scale")
    if (unknown := record.truth < 0).any():
        record = record.subset(~unknown)
    confidence, losses = [], []
    for evidence_t in record.follow():
        logs = (evidence_t / scale).log_softmax(-1)
        confidence.append(logs.amax(-1).exp())
        losses.append(-logs.gather(1, record.truth.unsqueeze(1)).squeeze(1))
    sure, loss, right, valid = torch.stack(confidence, 1), torch.stack(losses, 1).double(), record.right(), record.valid
    per_step = [(t, there) for t, there in enumerate(valid.unbind(1)) if there.any()]
    return Calibration(
        ece=ece(sure[valid], right[valid], bins),
        nll=float(loss[valid].mean()),
        ece_per_step=[ece(sure[there, t], right[there, t], bins) for t, there in per_step],
        nll_per_step=[float(loss[there, t].mean()) for t, there in per_step],
    )


def ece(confidence: Tensor, right: Tensor, bins: int = 15) -> float:
    """Expected calibration error: the mean over all answers of |accuracy - confidence| of their bins.

    Args:
        confidence: probability that was assigned to the answer, any shape.
        right: whether the answer was correct, bool, same shape.
        bins: number of bins of equal width over 0 to 1; each excludes its lower end and includes its upper end.
    Source: Naeini, Cooper & Hauskrecht, AAAI 2015; Guo et al., ICML 2017, section 2.
    """
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    sure = confidence.flatten().double()
    excess = sure - right.flatten().double()
    per_bin = torch.zeros(bins, dtype=torch.float64).index_add_(0, torch.bucketize(sure, edges[1:-1]), excess)
    return float(per_bin.abs().sum() / sure.numel())


def auroc(score: Tensor, right: Tensor) -> float | None:
    """Area under the ROC curve: the probability that a correct answer has a higher score than a wrong one; ties count half.

    Args:
        score: one for each answer, [N].
        right: whether the answer was correct, bool [N].
    Returns:
        1 for a perfect score, 0.5 for an uninformative one; None if all answers are correct, or all are wrong.
    """
    good, bad = int(right.sum()), int((~right).sum())
    if not good or not bad:
        return None
    # By ranks, because sklearn's roc_auc_score refuses the minus infinity of evidence that has overflowed.
    ranks = require_scipy().stats.rankdata(score.detach().cpu().numpy())
    return float((ranks[right.cpu().numpy()].sum() - good * (good + 1) / 2) / (good * bad))


def failure_prediction(rule: ExitRule, record: ExitRecord) -> float | None:
    """AUROC of the rule's score at the exit: how well it separates correct answers from wrong ones. Needs labels."""
    decisions = decide(rule, record)
    return auroc(at_step(scores(rule, record), decisions.steps), decisions.answers == record.truth)


class Interval(NamedTuple):
    """Ends of an interval."""

    low: float
    high: float


def exact_interval(right: int, count: int, level: float = 0.95) -> Interval:
    """Clopper-Pearson interval of a share, such as an accuracy: it covers the true share with at least the probability `level`.

    Args:
        right: number of inputs with the property.
        count: number of inputs, at least 1.
        level: smallest probability of covering.
    Source: Clopper & Pearson, Biometrika 26 (1934).
    """
    expect_in(level, "(0, 1)", "level")
    beta, tail = require_scipy().stats.beta, (1 - level) / 2
    low = beta.ppf(tail, right, count - right + 1) if right else 0.0
    high = beta.ppf(1 - tail, right + 1, count - right) if right < count else 1.0
    return Interval(float(low), float(high))


def bootstrap(values: Tensor, level: float = 0.95, resamples: int = 1000, seed: int = 0) -> Interval:
    """Bootstrap interval (percentiles) of the mean of a quantity over inputs, such as steps or correct answers.

    Args:
        values: one for each input, [N]. Of a single input the interval has no width.
        level: approximate probability that the interval covers the mean.
        resamples: number of resamples, N inputs each, drawn with replacement.
        seed: seed of the draws; with the same seed, other values of the same inputs are resampled alike.
    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
    """
    expect_in(level, "(0, 1)", "level")
    numbers = values.detach().double().cpu().numpy()
    if len(numbers) == 1:
        return Interval(numbers[0].item(), numbers[0].item())
    found = require_scipy().stats.bootstrap(
        (numbers,),
        np.mean,
        n_resamples=resamples,
        batch=max(1, _AT_ONCE // len(numbers)),
        confidence_level=level,
        method="percentile",
        rng=seed,
    )
    return Interval(*map(float, found.confidence_interval))
