"""Exit rule on the lead of the best class over the second best."""

from dataclasses import dataclass

from torch import Tensor

from ...core import State
from ...errors import InputError
from .base import ExitRule


@dataclass(frozen=True)
class Margin(ExitRule):
    """The score is the largest evidence minus the second largest, in units of the evidence.

    Source: the top-k gap of Wu et al., arXiv 2301.09522.
    """

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        expect_second(evidence_t)
        first, second = evidence_t.topk(2, -1).values.unbind(-1)
        return first - second, memory


def expect_second(evidence_t: Tensor) -> None:
    """Check that there are at least two classes."""
    if evidence_t.shape[-1] < 2:
        raise InputError(f"evidence_t: expected at least two classes, got {evidence_t.shape[-1]}. A margin needs a second best.")
