"""Accumulation of per-step outputs into the running decision for losses, exit rules and plots."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import expect_one_of
from ..errors import InputError
from .shapes import expect, expect_valid

ACCUMULATIONS = ("sum", "mean", "last", "max", "softmax-sum")
"""The accumulations of `accumulate`."""


def accumulate(outputs: Tensor, valid: Tensor | None = None, accumulation: str = "sum") -> Tensor:
    """Accumulate per-step outputs into evidence, the basis of a decision after each step.

    Args:
        outputs: one vector per step, [B, T, K], not accumulated.
        valid: bool [B, T]; at an invalid step the evidence stays what it was (zero before the first valid step).
        accumulation: "sum"; "mean" over the valid steps so far; "last"; "max"; or "softmax-sum", the running sum of
            softmax(outputs), as DCLS-Delays decides (arXiv 2306.17670).
    Returns:
        evidence [B, T, K]; the decision of the whole sequence is the last step.
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
    """The state of a running decision: the accumulated outputs [B, K] and the number of steps, int64 [B]."""

    kept: Tensor
    steps: Tensor

    @classmethod
    def none(cls, outputs_t: Tensor, accumulation: str = "sum") -> "Evidence":
        """The state before the first step, for outputs like these, [B, K]."""
        start = torch.full_like(outputs_t, -torch.inf if accumulation == "max" else 0)
        return cls(start, torch.zeros_like(start[:, 0], dtype=torch.int64))


def accumulate_step(outputs_t: Tensor, state: Evidence | None = None, accumulation: str = "sum") -> tuple[Tensor, Evidence]:
    """One step of `accumulate`, for networks that run step by step.

    Args:
        outputs_t: the outputs of this step, [B, K].
        state: the state returned by the last call; None at the start.
        accumulation: as in `accumulate`.
    Returns:
        the evidence after this step, [B, K], and the next state.
    Raises:
        ValueError: a wrong shape, an unknown word, or a state of another batch.
    """
    expect(outputs_t, "B K", "outputs_t")
    expect_one_of(accumulation, ACCUMULATIONS, "accumulation")
    value = outputs_t.softmax(-1) if accumulation == "softmax-sum" else outputs_t
    if state is None:
        state = Evidence.none(value, accumulation)
    elif state.kept.shape != value.shape:
        raise InputError(
            f"state: expected a sum of shape {list(value.shape)}, got {list(state.kept.shape)}. Pass what the last call returned."
        )
    steps = state.steps + 1
    kept = value if accumulation == "last" else torch.maximum(state.kept, value) if accumulation == "max" else state.kept + value
    return kept / steps.unsqueeze(-1) if accumulation == "mean" else kept, Evidence(kept, steps)
