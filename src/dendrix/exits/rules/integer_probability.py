"""Exit rule on the largest class probability, in whole numbers as exported networks compute it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core import State, expect_fields
from ...errors import InputError
from .max_probability import MaxProbability

ONE = 1 << 30
"""The number one in sums of powers, which have 30 fractional bits."""

FACTORS = tuple(math.floor(2.0 ** (30 - i / width) + 0.5) for width in (16, 256) for i in range(16))
"""2^(-i / 16) and 2^(-i / 256) for i below 16, in 30 fractional bits: what an exported network keeps of `POWERS`."""

POWERS = tuple((FACTORS[i >> 4] * FACTORS[16 + (i & 15)] + (ONE >> 1)) >> 30 for i in range(256))
"""2^(-i / 256), in 30 fractional bits; the last one may be off by one."""


@dataclass(frozen=True)
class IntegerProbability(MaxProbability):
    """As `MaxProbability`, computed from whole numbers and a table of powers of two, so that every machine stops at the same step.

    z[k] = ((top - total[k]) * constant >> 20) / steps, rounded down, in 1/256 of a power of two
    score = 2^30 / sum over k of (POWERS[z[k] mod 256] >> z[k] / 256)

    With a unit of at least 2^-16 of the scale, the score lies up to 7e-4 below that of `MaxProbability`, as z is rounded down. Fit it to a
    record of the integer network itself.

    Args:
        unit: value of one unit of the outputs, as `IntegerNetwork.unit`.
        mean: the evidence is a mean over the steps so far; otherwise a sum or the last outputs.
    """

    unit: float = 2.0**-16
    mean: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_fields(self, unit="(0, inf)")
        if self.compat:
            raise InputError("compat: expected False, as whole numbers have no other order of sums, got True. Use MaxProbability.")

    @property
    def constant(self) -> int:
        """Evidence to 1/256 of a power of two, times 2^20."""
        found = round(self.unit / self.scale * math.log2(math.e) * 2**28)
        if not 1 <= found < 2**31:
            raise InputError(
                f"scale: expected one whose ratio to the unit {self.unit:.4g} fits into 31 bits, got {self.scale:.4g}. Change it."
            )
        return found

    def memory(self, batch: int, device: torch.device | str) -> State:
        return torch.zeros(batch, dtype=torch.int64, device=device)

    def score(self, evidence_t: Tensor, memory: State) -> tuple[Tensor, State]:
        steps = memory + 1
        divisor = steps if self.mean else torch.ones_like(steps)
        total = torch.round(evidence_t.double() * divisor.unsqueeze(-1) / self.unit).nan_to_num().long()  # broken rows never stop
        return ONE / crowd(total, divisor, self.constant).double(), steps

    def bounds(self) -> list[int]:
        """For every threshold the number that the sum of powers must be below to stop."""
        return [_bound(value) for value in self.thresholds]


def crowd(total: Tensor, steps: Tensor, constant: int) -> Tensor:
    """Sum of 2^(-lead) over the classes, in 30 fractional bits: the inverse of the largest probability.

    Args:
        total: accumulated outputs, int64 [..., K].
        steps: what they are divided by, at least 1, int64 [...].
        constant: as `IntegerProbability.constant`.
    """
    lead, divisor = total.amax(-1, keepdim=True) - total, steps.unsqueeze(-1)
    high = (lead >> 32) * constant
    z = (high << 12) + (((lead & 0xFFFFFFFF) * constant) >> 20)
    near = (high >> 33 == 0) & (z < divisor << 13)
    # A division of 32 bits is enough, as a small machine has no other.
    half = (torch.frexp(divisor.double()).exponent.long() - 19).clamp_min(0)
    z = torch.where(near, z >> half, 0) // (divisor >> half)
    table = torch.tensor(POWERS, device=total.device)
    return torch.where(near, table[z & 255] >> (z >> 8), 0).sum(-1)


def _bound(threshold: float) -> int:
    """The least sum whose score does not exceed the threshold."""
    if threshold <= 0:
        return 2**64 - 1
    found = math.ceil(min(ONE / threshold, 2.0**62))
    while ONE / found > threshold:
        found += 1
    while found > 0 and ONE / max(found - 1, 1) <= threshold:
        found -= 1
    return found
