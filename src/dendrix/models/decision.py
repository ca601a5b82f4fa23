"""Decision rule from per-step outputs to one class per sequence, shared by training, evaluation and deployment."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from ..core import Stateful, accumulate, expect_fields, expect_one_of

Accumulation = Literal["sum", "mean", "last", "max", "softmax-sum"]


@dataclass(frozen=True)
class Decision:
    """Decision rule of a classifier, stored in its checkpoint.

    Raises:
        InputError: a field is out of range.
    """

    accumulation: Accumulation = "mean"
    """Accumulation of the outputs over time; see `accumulate`."""
    tail_ms: float = 0.0
    """Duration of zero input appended to a sequence, so that delayed spikes are included, in ms."""
    padded: bool = False
    """Treat the padding of a batch as input, as published networks with delays do; a decision then depends on its batch."""

    def __post_init__(self) -> None:
        expect_one_of(self.accumulation, get_args(Accumulation), "accumulation")
        expect_fields(self, tail_ms="[0, inf)")

    def tail_steps(self, dt_ms: float) -> int:
        """Return the length of the tail in time steps.

        Args:
            dt_ms: length of a time step, in ms.
        """
        return round(self.tail_ms / dt_ms)

    def evidence(self, model: Stateful, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Run a network and accumulate its outputs.

        Args:
            model: classifier with per-step outputs.
            x: [B, T, C], including the tail.
            valid: bool [B, T] or None.
        Returns:
            evidence after each step, [B, T, K]; the last step determines the decision.
        """
        valid = None if self.padded else valid
        outputs, _ = model(x, None, valid)
        # At least float32: in a long bfloat16 sum, later terms are lost to rounding.
        return accumulate(outputs.to(torch.promote_types(outputs.dtype, torch.float32)), valid, self.accumulation)

    def confidence(self, evidence: Tensor) -> Tensor:
        """Normalise evidence [..., K] to sum to one: by the softmax, or by the sum for "softmax-sum".

        Args:
            evidence: result of `evidence`.
        """
        return evidence / evidence.sum(-1, keepdim=True) if self.accumulation == "softmax-sum" else evidence.softmax(-1)
