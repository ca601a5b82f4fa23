"""From a network's per-step outputs to one decision for each sequence, the same in training, evaluation and use."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from ..core import Stateful, accumulate, expect_fields, expect_one_of

Accumulation = Literal["sum", "mean", "last", "max", "softmax-sum"]


@dataclass(frozen=True)
class Decision:
    """How a sequence is decided; a checkpoint carries it."""

    accumulation: Accumulation = "mean"
    """What `accumulate` does with the outputs."""
    tail_ms: float = 0.0
    """Silence that the network still hears after the end of the input, so that delayed spikes count, in ms."""
    padded: bool = False
    """Let the padding of a batch count as input, as published networks with delays do; a decision then depends on its batch."""

    def __post_init__(self) -> None:
        expect_one_of(self.accumulation, get_args(Accumulation), "accumulation")
        expect_fields(self, tail_ms="[0, inf)")

    def tail_steps(self, dt_ms: float) -> int:
        """The tail in whole steps."""
        return round(self.tail_ms / dt_ms)

    def evidence(self, model: Stateful, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """The evidence after each step, [B, T, K], for inputs x [B, T, C] that include the tail; the last step decides."""
        valid = None if self.padded else valid
        outputs, _ = model(x, None, valid)
        # At least float32: a long sum in bfloat16 loses what the later steps say.
        return accumulate(outputs.to(torch.promote_types(outputs.dtype, torch.float32)), valid, self.accumulation)

    def confidence(self, evidence: Tensor) -> Tensor:
        """Evidence [..., K] as shares that sum to one: a softmax, or the mean softmax where that is what was summed."""
        return evidence / evidence.sum(-1, keepdim=True) if self.accumulation == "softmax-sum" else evidence.softmax(-1)
