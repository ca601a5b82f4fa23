"""Exit rule on the lead of the best class over the second best, in whole numbers as exported networks compute it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core import State, expect_fields
from .margin import Margin, expect_second

BITS = 8
"""Fractional bits of a lead."""

_LARGEST = 1 << 54
"""Leads from here on count as this, so that they keep their fractional bits within 64."""

_NEVER = (1 << 64) - 1


@dataclass(frozen=True)
class IntegerMargin(Margin):
    """As `Margin`, computed from whole numbers, so that every machine stops at the same step.

    score = floor(256 lead / steps) * unit / 256, where lead is the largest total minus the second largest; steps is 1 without `mean`

    Fit it to a record of the integer network itself.

    Args:
        unit: value of one unit of the outputs, as `IntegerNetwork.unit`.
        mean: the evidence is a mean over the steps so far; otherwise a sum, the largest or the last outputs.
    """

    unit: float = 2.0**-16
    mean: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, unit="(0, inf)")

    def memory(self, batch: int, device: torch.device | str) -> State:
        return torch.zeros(batch, dtype=torch.int64, device=device)

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        expect_second(evidence_t)
        steps = memory + 1
        divisor = steps if self.mean else torch.ones_like(steps)
        total = torch.round(evidence_t.double() * divisor.unsqueeze(-1) / self.unit).nan_to_num().long()  # broken rows never stop
        return lead(total, divisor).double() * (self.unit / 2**BITS), steps

    def bounds(self) -> list[int]:
        """For every threshold the number that 256 lead must reach in each step that it is divided by."""
        return [_bound(value, self.unit / 2**BITS, 2.0 ** (41 if self.mean else 62)) for value in self.thresholds]


def lead(total: Tensor, steps: Tensor) -> Tensor:
    """The largest total minus the second largest, with 8 fractional bits, over `steps`: int64 [...], of int64 [..., K] and [...]."""
    first, second = total.topk(2, -1).values.unbind(-1)
    return ((first - second).clamp_max(_LARGEST) << BITS) // steps


def _bound(threshold: float, unit: float, limit: float) -> int:
    """The least whole number whose value exceeds the threshold; no lead reaches the limit."""
    if threshold / unit >= limit:
        return _NEVER
    if threshold < 0:
        return 0
    found = math.floor(threshold / unit)
    while found * unit > threshold:
        found -= 1
    while found * unit <= threshold:
        found += 1
    return found
