"""From a network's per-step outputs to one decision for each sequence, the same in training, evaluation and use."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

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

    def evidence(self, model: nn.Module, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """The evidence after each step, [B, T, K], for inputs x [B, T, C] that include the tail; the last step decides.

        Of a network that answers once, outputs [B, K], T is 1.
        """
        valid = None if self.padded else valid
        outputs = outputs_of(model, x, valid)
        # At least float32: a long sum in bfloat16 loses what the later steps say.
        outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
        if outputs.dim() == 2:  # one answer for the whole input
            return outputs.unsqueeze(1)
        return accumulate(outputs, valid, self.accumulation)

    def confidence(self, evidence: Tensor) -> Tensor:
        """Evidence [..., K] as shares that sum to one: a softmax, or the mean softmax where that is what was summed."""
        return evidence / evidence.sum(-1, keepdim=True) if self.accumulation == "softmax-sum" else evidence.softmax(-1)


def takes_state(model: nn.Module) -> bool:
    """Whether a network takes a state and `valid`, also one that DDP or torch.compile has wrapped."""
    inner = getattr(model, "_orig_mod", model)
    return isinstance(inner, Stateful) or isinstance(getattr(inner, "module", None), Stateful)


def outputs_of(model: nn.Module, x: Tensor, valid: Tensor | None = None) -> Tensor:
    """The outputs of a network from rest: [B, T, K], or [B, K] of one that answers once.

    Args:
        model: a `Stateful`; or any module that returns its outputs, or a pair of them and a state. Only a `Stateful` is given `valid`.
        x: inputs, first axis B.
        valid: bool [B, T].
    """
    returned = model(x, None, valid) if takes_state(model) else model(x)
    outputs: Tensor = returned[0] if isinstance(returned, tuple) else returned
    return outputs
