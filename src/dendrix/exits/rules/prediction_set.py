"""Exit rule on the size of a prediction set: stop as soon as a few classes have enough probability."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...core import State, expect_count, expect_fields
from ...errors import InputError
from .base import ExitRule


@dataclass(frozen=True)
class PredictionSet(ExitRule):
    """The score is the probability of the `size` most probable classes together, of softmax(evidence / scale).

    The prediction set of a threshold contains the most probable classes, in order, until their probability exceeds the threshold, so the
    rule stops at the first step at which the set has at most `size` classes. An input that it does not stop has the set of its last step,
    which is larger. A size of 1 stops at the same steps as `MaxProbability`.

    Args:
        size: number of classes of a set that is small enough.
        scale: divides the evidence; a larger one makes the probabilities more uniform.
    Source: the stop is that of SpikeCP, arXiv 2305.11322; the sets are those of Romano, Sesia & Candes, arXiv 2006.02544, without
        randomisation.
    """

    span: ClassVar[tuple[float, float]] = (0.0, 1.0)

    size: int = 1
    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_count(self.size, "[1, inf)", "size")
        expect_fields(self, scale="(0, inf)")

    def probabilities(self, evidence_t: Tensor) -> Tensor:
        """Probabilities of the classes, float64 [B, K]."""
        return (evidence_t.double() / self.scale).softmax(-1)

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        if evidence_t.shape[-1] <= self.size:
            raise InputError(f"size: expected fewer than the {evidence_t.shape[-1]} classes, got {self.size}. Every set would do.")
        ranked = self.probabilities(evidence_t).sort(dim=-1, descending=True, stable=True).values
        return ranked.cumsum(-1)[..., self.size - 1].clamp(0, 1), memory

    def members(self, evidence_t: Tensor) -> Tensor:
        """Prediction sets of the evidence at the exit, [B, K] -> bool [B, K].

        Raises:
            ValueError: the rule has a threshold for every step.
        """
        if len(self.thresholds) > 1:
            raise InputError(f"threshold: expected one for all steps, got {len(self.thresholds)}. Fit without thresholds per step.")
        return mass_above(self.probabilities(evidence_t)) <= self.thresholds[-1]


def mass_above(probabilities: Tensor) -> Tensor:
    """Probability of all classes that are more probable than each class, [..., K]; of equal ones the first counts as more probable."""
    ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ranked.cumsum(-1).roll(1, -1).clamp(0, 1)
    before[..., 0] = 0
    return before.new_empty(before.shape).scatter_(-1, order, before)
