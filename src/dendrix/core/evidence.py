"""Accumulation of per-step outputs into evidence for decisions, losses and exit rules."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import expect_one_of
from ..errors import InputError
from .shapes import expect, expect_valid

ACCUMULATIONS = ("sum", "mean", "last", "max", "softmax-sum")
"""Allowed values of `accumulation`."""


def accumulate(outputs: Tensor, valid: Tensor | None = None, accumulation: str = "sum") -> Tensor:
    """Accumulate per-step outputs into evidence after each step; the largest determines the decision.

    Args:
        outputs: outputs of each step, [B, T, K].
        valid: bool [B, T]; invalid steps do not change the evidence (zero before the first valid step).
        accumulation: "sum"; "mean" over the valid steps so far; "last"; "max"; or "softmax-sum", the running sum of
            softmax(outputs), as in DCLS-Delays (arXiv 2306.17670).
    Returns:
        evidence [B, T, K]; the last step determines the decision for the sequence.
    """
    expect(outputs, "B T K", "outputs")
    expect_valid(valid, outputs)
    expect_one_of(accumulation, ACCUMULATIONS, "accumulation")
    if valid is None:
        valid = torch.ones(outputs.shape[:2], dtype=torch.bool, device=outputs.device)
    mask = valid.unsqueeze(-1)
    if accumulation == "softmax-sum":
        outputs = outputs.softmax(-1)
    if accumulation in ("last", "max"):
        seen = valid.cumsum(1).unsqueeze(-1) > 0
        if accumulation == "max":
            best = outputs.masked_fill(~mask, -torch.inf).cummax(1).values
        else:
            steps = torch.arange(outputs.shape[1], device=outputs.device).expand(valid.shape)
            latest = torch.where(valid, steps, 0).cummax(1).values
            best = outputs.gather(1, latest.unsqueeze(-1).expand_as(outputs))
        return torch.where(seen, best, 0)
    total = outputs.masked_fill(~mask, 0).cumsum(1)
    return total / valid.cumsum(1).clamp_min(1).unsqueeze(-1) if accumulation == "mean" else total


class Evidence(NamedTuple):
    """State of `accumulate_step`: the accumulated outputs [B, K] and the number of steps, int64 [B]."""

    kept: Tensor
    steps: Tensor

    @classmethod
    def none(cls, outputs_t: Tensor, accumulation: str = "sum") -> "Evidence":
        """Return the state before the first step, for outputs with the shape and dtype of `outputs_t`, [B, K]."""
        start = torch.full_like(outputs_t, -torch.inf if accumulation == "max" else 0)
        return cls(start, torch.zeros_like(start[:, 0], dtype=torch.int64))


def accumulate_step(outputs_t: Tensor, state: Evidence | None = None, accumulation: str = "sum") -> tuple[Tensor, Evidence]:
    """Compute one step of `accumulate`.

    Args:
        outputs_t: outputs of this step, [B, K].
        state: state returned by the previous call; None at the start.
        accumulation: as in `accumulate`.
    Returns:
        the evidence after this step, [B, K], and the next state.
    Raises:
        InputError: wrong shape, unknown accumulation, or a state of another batch.
    """
    expect(outputs_t, "B K", "outputs_t")
    expect_one_of(accumulation, ACCUMULATIONS, "accumulation")
    value = outputs_t.softmax(-1) if accumulation == "softmax-sum" else outputs_t
    if state is None:
        state = Evidence.none(value, accumulation)
    elif state.kept.shape != value.shape:
        raise InputError(
            f"state: expected shape {list(value.shape)}, got {list(state.kept.shape)}. Pass the state returned by the previous call."
        )
    steps = state.steps + 1
    kept = value if accumulation == "last" else torch.maximum(state.kept, value) if accumulation == "max" else state.kept + value
    return kept / steps.unsqueeze(-1) if accumulation == "mean" else kept, Evidence(kept, steps)
