"""From per-step outputs to the running decision that losses, exit rules and plots read."""

import torch
from torch import Tensor

from .expect import expect, expect_one_of, expect_valid

_HOW = ("sum", "mean", "last", "max", "softmax-sum")


def accumulate(outputs: Tensor, valid: Tensor | None = None, how: str = "sum") -> Tensor:
    """Turn per-step outputs into evidence: what a decision after each step would rest on.

    Args:
        outputs: one vector per step, [B, T, K], not accumulated.
        valid: bool [B, T]; at an invalid step the evidence stays what it was (zero before the first valid step).
        how: "sum"; "mean" over the valid steps so far; "last"; "max"; or "softmax-sum", the running sum of
            softmax(outputs), as DCLS-Delays decides (arXiv 2306.17670).
    Returns:
        evidence [B, T, K]; the decision of the whole sequence is the last step.
    """
    expect(outputs, "B T K", "outputs")
    expect_valid(valid, outputs)
    expect_one_of(how, _HOW, "how")
    if valid is None:
        valid = torch.ones(outputs.shape[:2], dtype=torch.bool, device=outputs.device)
    mask = valid.unsqueeze(-1)
    if how == "softmax-sum":
        outputs = outputs.softmax(-1)
    if how in ("last", "max"):
        seen = valid.cumsum(1).unsqueeze(-1) > 0
        if how == "max":
            best = outputs.masked_fill(~mask, -torch.inf).cummax(1).values
        else:
            steps = torch.arange(outputs.shape[1], device=outputs.device).expand(valid.shape)
            latest = torch.where(valid, steps, 0).cummax(1).values
            best = outputs.gather(1, latest.unsqueeze(-1).expand_as(outputs))
        return torch.where(seen, best, 0)
    total = outputs.masked_fill(~mask, 0).cumsum(1)
    return total / valid.cumsum(1).clamp_min(1).unsqueeze(-1) if how == "mean" else total
