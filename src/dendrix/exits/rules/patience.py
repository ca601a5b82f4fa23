"""Exit rule on the number of steps without a change of the answer."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ...core import State
from .base import ExitRule


class Streak(NamedTuple):
    """Last answer, int64 [B] (-1 before the first step), and the number of steps since it changed, int64 [B]."""

    answer: Tensor
    length: Tensor


@dataclass(frozen=True)
class Patience(ExitRule):
    """The score is the number of consecutive steps with the same answer, this one included.

    Source: after patience-based early exit, Zhou et al. (2020), arXiv 2006.04152, over time steps instead of layers.
    """

    def memory(self, batch: int, device: torch.device | str) -> State:
        none = torch.full((batch,), -1, dtype=torch.int64, device=device)
        return Streak(none, torch.zeros_like(none))

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        answer = evidence_t.argmax(-1)
        length = torch.where(answer == memory.answer, memory.length + 1, 1)
        # torch's argmax takes a NaN for the largest value.
        length = length.masked_fill(evidence_t.isnan().any(-1), 0)
        return length.to(evidence_t.dtype), Streak(answer, length)
