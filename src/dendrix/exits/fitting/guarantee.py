"""Learn then Test: the fastest threshold whose risk is bounded with a given probability."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...core import expect_fields, expect_one_of
from ...errors import NoCertificateError
from ..records import ExitRecord
from ..statistics import require_scipy
from .goals import Goal
from .outcomes import LOSSES, Outcomes

_WORDS = {
    "accuracy-drop": "answered wrongly although the full run is correct",
    "disagreement": "given another answer than from the full run",
    "wrong-answer": "stopped with a wrong answer; inputs that are not stopped are answered 'none of these'",
    "missed-class": "given a prediction set without their true class",
}


@dataclass(frozen=True)
class Guarantee(Goal):
    """The fastest threshold whose risk is at most `eps`, except with a probability of at most `delta`.

    The thresholds are tested from the strictest down, each with the p-value P(Bin(n, eps) <= losses), up to the first p > delta; the
    last one before it is chosen. The losses change only at recorded scores, so testing each of them tests all thresholds: no grid needs to
    be fixed in advance, and taking the scores from the same inputs does not weaken the guarantee.

    Args:
        eps: largest acceptable risk, 0 to 1: the share of all future inputs with a loss.
        delta: probability, over the draw of the calibration inputs, that the risk is larger.
        loss: "accuracy-drop", a wrong answer at the exit where the full run is correct; "disagreement", another answer than that of
            the full run, which needs no labels; "wrong-answer", a wrong answer of an input that is stopped, where an input that is never
            stopped is answered "none of these" (label -1); or "missed-class", a prediction set without the true class, for the rule
            `PredictionSet`.
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
        return self.loss != "disagreement"

    @property
    def abstains(self) -> bool:
        """Whether an input that is never stopped is answered "none of these"."""
        return self.loss == "wrong-answer"

    @property
    def needed(self) -> int:
        """Smallest number of inputs with which a threshold can be certified: ln(delta) / ln(1 - eps), rounded up."""
        return needed(self.eps, self.delta)

    def enough(self, record: ExitRecord, share: float) -> bool:
        return len(record) * share >= 2 * self.needed

    def losses(self, outcomes: Outcomes) -> Tensor:
        """Number of inputs with a loss for each threshold, int64 [M]."""
        return outcomes.losses(self.loss)

    def p_values(self, losses: Tensor, count: int) -> Tensor:
        """Probability of so few losses at a risk of `eps`, float64: below delta, the hypothesis that the risk is larger is rejected."""
        return binomial_tails(count, self.eps)[losses]

    def expect_enough(self, outcomes: Outcomes) -> None:
        """Check that any threshold can be certified.

        Raises:
            NoCertificateError: the record is too small.
        """
        if outcomes.count < self.needed:
            raise NoCertificateError(
                f"certification: expected at least {self.needed} inputs for a risk of {self.eps:g} at delta {self.delta:g}, "
                f"got {outcomes.count}. Record more, choose fewer settings on data, or raise eps or delta.",
                self.needed,
            )

    def passed(self, outcomes: Outcomes) -> Tensor:
        """Whether the test of each threshold rejects the hypothesis that its risk is larger than `eps`, bool [M]."""
        return self.p_values(self.losses(outcomes), outcomes.count) <= self.delta

    def choose(self, outcomes: Outcomes) -> int:
        self.expect_enough(outcomes)
        accepted = walk(self.passed(outcomes))
        if not accepted:
            raise NoCertificateError(
                f"thresholds: expected the strictest, {outcomes.thresholds[0].item():g}, to pass, but {int(self.losses(outcomes)[0])} "
                f"losses in {outcomes.count} inputs are too many for a risk of {self.eps:g}. Start higher.",
                self.needed,
            )
        return accepted - 1

    def seems_safe(self, outcomes: Outcomes) -> Tensor:
        """Whether each threshold keeps within `eps` on these inputs, without a guarantee, bool [M]."""
        return self.losses(outcomes) <= self.eps * outcomes.count

    def rank(self, outcomes: Outcomes) -> int:
        accepted = walk(self.seems_safe(outcomes))
        return int(outcomes.steps[max(accepted - 1, 0)])

    @property
    def loss_in_words(self) -> str:
        """The loss, as the end of a sentence about inputs."""
        return _WORDS[self.loss]

    def statement(self, outcomes: Outcomes, index: int) -> str:
        losses = self.losses(outcomes)[index]
        p = self.p_values(losses, outcomes.count).item()
        return (
            f"With a probability of at least {1 - self.delta:.12g} over the draw of the {outcomes.count} calibration inputs, at most "
            f"{self.eps:.12g} of all inputs from the same distribution are {self.loss_in_words}. "
            f"Among the {outcomes.count} there were {int(losses)}, p = {p:.3g}."
        )


def needed(eps: float, delta: float) -> int:
    """Smallest number of independent trials without a loss that certify a risk of `eps` at `delta`: ln(delta) / ln(1 - eps), rounded up."""
    return math.ceil(math.log(delta) / math.log1p(-eps) * (1 - 1e-12))  # a ratio that is whole but for rounding is not raised


def smallest_eps(count: int, delta: float) -> float:
    """Smallest risk that so many inputs or groups without a loss certify at `delta`: 1 - delta^(1 / count)."""
    return -math.expm1(math.log(delta) / count)


def binomial_tails(count: int, p: float) -> Tensor:
    """P(Bin(count, p) <= k) for k = 0 to count, float64 [count + 1]; relative error below 1e-12, in the deep tails too."""
    return torch.from_numpy(require_scipy().stats.binom.cdf(np.arange(count + 1), count, p))


def walk(passed: Tensor) -> int:
    """Number of tests that pass before the first that fails."""
    return int(passed.int().cumprod(0).sum())
