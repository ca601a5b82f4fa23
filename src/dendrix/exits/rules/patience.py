"""Stop when the answer has not changed for a while."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ...core import State
from .base import ExitRule


class Streak(NamedTuple):
    """The last answer, int64 [B] (-1 before the first step), and for how many steps it has been the same, int64 [B]."""

    answer: Tensor
    length: Tensor


@dataclass(frozen=True)
class Patience(ExitRule):
    """The score is the number of steps in a row, this one included, that gave the same answer.

    Source: after patience-based early exit, Zhou et al. (2020), arXiv 2006.04152, over time steps instead of layers.
    """

    def memory(self, batch: int, device: torch.device | str) -> State:
        nobody = torch.full((batch,), -1, dtype=torch.int64, device=device)
        return Streak(nobody, torch.zeros_like(nobody))

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        answer = evidence_t.argmax(-1)
        length = torch.where(answer == memory.answer, memory.length + 1, 1)
        # A NaN is no answer, but torch's argmax names it the best class.
        length = length.masked_fill(evidence_t.isnan().any(-1), 0)
        return length.to(evidence_t.dtype), Streak(answer, length)
