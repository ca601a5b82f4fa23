"""Learn then Test: the fastest threshold whose risk is bounded with a given probability."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...core import expect_fields, expect_one_of
from ...errors import InputError, NoCertificateError
from ..statistics import require_scipy
from .goals import Goal
from .outcomes import Outcomes

LOSSES = ("accuracy-drop", "disagreement")


@dataclass(frozen=True)
class Guarantee(Goal):
    """The fastest threshold whose risk is at most `eps`, except with a probability of at most `delta`.

    The thresholds are tested from the strictest down, each with the p-value P(Bin(n, eps) <= losses), up to the first p > delta; the
    last one before it is chosen. The losses change only at recorded scores, so testing each of them tests all thresholds: no grid needs to
    be fixed in advance, and taking the scores from the same inputs does not weaken the guarantee.

    Args:
        eps: largest acceptable risk, 0 to 1: the share of all future inputs with a loss.
        delta: probability, over the draw of the calibration inputs, that the risk is larger.
        loss: "accuracy-drop", a wrong answer at the exit where the full run is correct; or "disagreement", another answer than that of
            the full run, which needs no labels.
    Source: Angelopoulos et al., Learn then Test, arXiv 2110.01052, fixed-sequence testing with the exact binomial p-value.
    """

    eps: float = 0.01
    delta: float = 0.1
    loss: str = "accuracy-drop"

    def __post_init__(self) -> None:
        expect_fields(self, eps="(0, 1)", delta="(0, 1)")
        expect_one_of(self.loss, LOSSES, "loss")

    @property
    def needs_labels(self) -> bool:
        return self.loss == "accuracy-drop"

    @property
    def needed(self) -> int:
        """Smallest number of inputs with which a threshold can be certified: ln(delta) / ln(1 - eps), rounded up."""
        return math.ceil(math.log(self.delta) / math.log1p(-self.eps))

    def losses(self, outcomes: Outcomes) -> Tensor:
        """Number of inputs with a loss for each threshold, int64 [M]."""
        losses = outcomes.drops if self.needs_labels else outcomes.differs
        if losses is None:
            raise InputError("labels: expected the true classes in the record, got none. Record them, or take loss='disagreement'.")
        return losses

    def p_values(self, losses: Tensor, count: int) -> Tensor:
        """Probability of so few losses at a risk of `eps`, float64: below delta, the hypothesis that the risk is larger is rejected."""
        return binomial_tails(count, self.eps)[losses]

    def choose(self, outcomes: Outcomes) -> int:
        if outcomes.count < self.needed:
            raise NoCertificateError(
                f"certification: expected at least {self.needed} inputs for a risk of {self.eps:g} at delta {self.delta:g}, "
                f"got {outcomes.count}. Record more, choose fewer settings on data, or raise eps or delta.",
                self.needed,
            )
        losses = self.losses(outcomes)
        accepted = _walk(self.p_values(losses, outcomes.count) <= self.delta)
        if not accepted:
            raise NoCertificateError(
                f"thresholds: expected the strictest, {outcomes.thresholds[0].item():g}, to pass, but {int(losses[0])} losses in "
                f"{outcomes.count} inputs are too many for a risk of {self.eps:g}. Start higher.",
                self.needed,
            )
        return accepted - 1

    def rank(self, outcomes: Outcomes) -> int:
        accepted = _walk(self.losses(outcomes) <= self.eps * outcomes.count)
        return int(outcomes.steps[max(accepted - 1, 0)])

    def statement(self, outcomes: Outcomes, index: int) -> str:
        losses = self.losses(outcomes)[index]
        p = self.p_values(losses, outcomes.count).item()
        loss = "are answered wrongly although the full run is correct" if self.needs_labels else "get another answer than from the full run"
        return (
            f"With a probability of at least {1 - self.delta:.12g} over the draw of the {outcomes.count} calibration inputs, at most "
            f"{self.eps:.12g} of all inputs from the same distribution {loss}. "
            f"Among the {outcomes.count} there were {int(losses)}, p = {p:.3g}."
        )


def binomial_tails(count: int, p: float) -> Tensor:
    """P(Bin(count, p) <= k) for k = 0 to count, float64 [count + 1]; relative error below 1e-12, in the deep tails too."""
    return torch.from_numpy(require_scipy().stats.binom.cdf(np.arange(count + 1), count, p))


def _walk(passed: Tensor) -> int:
    """Number of tests that pass before the first that fails."""
    return int(passed.int().cumprod(0).sum())
