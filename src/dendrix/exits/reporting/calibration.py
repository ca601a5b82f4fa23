"""Whether confidence means what it says, whether it tells right from wrong, and how sure the figures are."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ...core import expect_in
from ..decisions import at_step, decide, scores
from ..records import ExitRecord
from ..rules.base import ExitRule


@dataclass(frozen=True)
class Calibration:
    """How far probabilities of the classes can be believed; each figure over all valid steps, and for each step."""

    ece: float
    """Expected calibration error, 0 to 1."""
    nll: float
    """Mean negative log-likelihood of the true class, in nats."""
    ece_per_step: list[float]
    """Of the inputs that have that step; up to the last step of the longest."""
    nll_per_step: list[float]


def calibration(record: ExitRecord, scale: float = 1.0, bins: int = 15) -> Calibration:
    """Calibration of softmax(evidence / scale). Needs labels.

    Args:
        record: N inputs, up to T steps.
        scale: divides the evidence, as in `MaxProbability`.
        bins: see `ece`.
    """
    expect_in(scale, "(0, inf)", "scale")
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
    """Expected calibration error: the mean over all answers of |accuracy - confidence| in the bin that each falls into.

    Args:
        confidence: the probability that was given to the answer, any shape.
        right: whether the answer was true, bool, the same shape.
        bins: bins of equal width over 0 to 1, each without its lower end and with its upper.
    Source: Naeini, Cooper & Hauskrecht, AAAI 2015; Guo et al., ICML 2017, section 2.
    """
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    sure = confidence.flatten().double()
    excess = sure - right.flatten().double()
    per_bin = torch.zeros(bins, dtype=torch.float64).index_add_(0, torch.bucketize(sure, edges[1:-1]), excess)
    return float(per_bin.abs().sum() / sure.numel())


def auroc(score: Tensor, right: Tensor) -> float | None:
    """How well a score tells right answers from wrong ones: the probability that a right one has the higher score, ties half.

    Args:
        score: one for each answer, [N].
        right: whether the answer was true, bool [N].
    Returns:
        0.5 for a score that knows nothing, 1 for one that knows all; None if all answers are right, or all wrong.
    """
    good, bad = score[right], score[~right].sort().values
    if not len(good) or not len(bad):
        return None
    below, upto = torch.searchsorted(bad, good), torch.searchsorted(bad, good, right=True)
    return float((below + upto).double().mean() / (2 * len(bad)))


def failure_prediction(rule: ExitRule, record: ExitRecord) -> float | None:
    """The AUROC of the rule's score at the step where it stops: how well it tells, then, a right answer from a wrong one. Needs labels."""
    decisions = decide(rule, record)
    return auroc(at_step(scores(rule, record), decisions.steps), decisions.answers == record.truth)


class Interval(NamedTuple):
    """The two ends of an interval."""

    low: float
    high: float


def bootstrap(values: Tensor, level: float = 0.95, resamples: int = 1000, seed: int = 0) -> Interval:
    """An interval of the mean of values over inputs, such as steps or right answers, by resampling the inputs (percentiles).

    Args:
        values: one for each input, [N].
        level: how often the interval covers the mean, about.
        resamples: how often N of the inputs are drawn, with replacement.
        seed: of the draws; the same seed draws the same inputs for other values.
    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
    """
    expect_in(level, "(0, 1)", "level")
    generator = torch.Generator().manual_seed(seed)
    numbers = values.double()
    means = torch.stack([numbers[torch.randint(len(numbers), (len(numbers),), generator=generator)].mean() for _ in range(resamples)])
    low, high = means.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)).tolist()
    return Interval(low, high)
