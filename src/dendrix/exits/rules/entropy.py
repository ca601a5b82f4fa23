"""Exit rule on the entropy of the class probabilities."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...core import State, expect_fields
from ...errors import InputError
from .base import ExitRule


@dataclass(frozen=True)
class Entropy(ExitRule):
    """The score is 1 - H / ln K, where H is the entropy of softmax(evidence / scale): 0 for a uniform distribution, 1 for one class.
    It is computed in float64, so that large evidence reaches exactly 1 later than in float32.

    Args:
        scale: divides the evidence; a larger one makes the probabilities more uniform.
    Source: Li et al., DT-SNN, DAC 2023; in this form in SEENN, NeurIPS 2023.
    """

    span: ClassVar[tuple[float, float]] = (0.0, 1.0)

    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, scale="(0, inf)")

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        if evidence_t.shape[-1] < 2:
            raise InputError(f"evidence_t: expected at least two classes, got {evidence_t.shape[-1]}. One class has no entropy.")
        logs = (evidence_t.double() / self.scale).log_softmax(-1)
        entropy = torch.special.entr(logs.exp()).sum(-1)
        return (1 - entropy / math.log(evidence_t.shape[-1])).clamp(0, 1), memory  # rounding leaves [0, 1]
