"""Decision rule from per-step outputs to one class per sequence, shared by training, evaluation and deployment."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ..core import Stateful, accumulate, expect_fields, expect_flag, expect_one_of

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
        expect_flag(self.padded, "padded")

    def tail_steps(self, dt_ms: float) -> int:
        """Return the length of the tail in time steps.

        Args:
            dt_ms: length of a time step, in ms.
        """
        return round(self.tail_ms / dt_ms)

    def evidence(self, model: nn.Module, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Run a network and accumulate its outputs.

        Args:
            model: classifier with per-step outputs [B, T, K], or with one output [B, K] (T is then 1).
            x: [B, T, C], including the tail.
            valid: bool [B, T] or None.
        Returns:
            evidence after each step, [B, T, K]; the last step determines the decision.
        """
        if self.padded or (valid is not None and bool(valid.all())):  # a mask without invalid steps would only cost time
            valid = None
        outputs = outputs_of(model, x, valid)
        # At least float32: in a long bfloat16 sum, later terms are lost to rounding.
        outputs = outputs.to(torch.promote_types(outputs.dtype, torch.float32))
        return accumulate(outputs, valid, self.accumulation) if outputs.dim() == 3 else outputs.unsqueeze(1)

    def confidence(self, evidence: Tensor) -> Tensor:
        """Normalise evidence [..., K] to sum to one: by the softmax, or by the sum for "softmax-sum".

        Args:
            evidence: result of `evidence`.
        """
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
    outputs: Tensor = returned[0] if isinstance(returned, tuple) and returned else returned
    return outputs
