"""Exit rule on the largest class probability: Dynamic Confidence."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...core import State, expect_fields
from .base import ExitRule


@dataclass(frozen=True)
class MaxProbability(ExitRule):
    """The score is the largest class probability, max softmax(evidence / scale).

    It is computed in float64, where it reaches exactly 1 at a lead of about 37 scales (float32: 17). Beyond that no threshold separates
    scores: use a larger scale, or `Margin`.

    Args:
        scale: divides the evidence; a larger one makes the probabilities more uniform.
        compat: divide the outputs of every step by the scale before they are summed, instead of the sum, and keep the precision of the
            evidence, as the reference code does. The two agree within 2e-6. The reference answers with the class of the largest
            probability, and here the answer is the class with the most evidence: they differ only between classes whose probabilities
            are equal after rounding.
    Source: Li, Jones & Furber, ICCV 2023, arXiv 2303.10276; the reference fixes scale 30 and threshold 0.6.
    """

    span: ClassVar[tuple[float, float]] = (0.0, 1.0)

    scale: float = 1.0
    compat: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, scale="(0, inf)")

    def weigh(self, outputs_t: Tensor) -> Tensor:
        return outputs_t / self.scale if self.compat else outputs_t

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        scaled = evidence_t if self.compat else evidence_t.double() / self.scale
        return scaled.softmax(-1).amax(-1), memory
