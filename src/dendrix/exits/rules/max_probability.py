"""Stop when the most likely class is likely enough: Dynamic Confidence."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...core import State, expect_fields
from .base import ExitRule


@dataclass(frozen=True)
class MaxProbability(ExitRule):
    """The score is the largest class probability, max softmax(evidence / scale).

    Args:
        scale: divides the evidence; a larger one makes the probabilities more even.
        compat: divide every step's outputs by the scale before they are summed, as the reference code does, and not the sum.
            The two agree within 2e-6. The reference also answers with the largest probability, and rounding makes some that differ
            equal; here the answer is always the class with the most evidence. They differ only between classes that are equal but
            for rounding.
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
        scaled = evidence_t if self.compat else evidence_t / self.scale
        return scaled.softmax(-1).amax(-1), memory
