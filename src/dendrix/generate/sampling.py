"""Which token comes next: the most likely one, or one drawn from those that are likely enough."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import expect, expect_fields


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; each setting narrows what the ones before it left, in the order of transformers."""

    temperature: float = 1.0
    """Divides the logits; 0 takes the most likely token."""
    top_k: int | None = None
    """Draw among so many of the most likely tokens; None is all."""
    top_p: float = 1.0
    """Draw among the fewest most likely tokens that have this probability together."""

    def __post_init__(self) -> None:
        expect_fields(self, temperature="[0, inf)", top_k="[1, inf)", top_p="(0, 1]")


def sample(logits: Tensor, sampling: Sampling, generator: torch.Generator | None = None) -> Tensor:
    """Draw a token for every row.

    Args:
        logits: [B, V].
        sampling: what narrows the choice.
        generator: of the random numbers; None is torch's own. Rows share it: draw row by row where each has one.
    Returns:
        tokens int64 [B].
    Raises:
        FloatingPointError: a logit is NaN or infinite.
    """
    expect(logits, "B V", "logits")
    if not bool(torch.isfinite(logits).all()):
        raise FloatingPointError("logits: expected finite numbers, got NaN or infinity. Did the training diverge?")
    if sampling.temperature == 0:
        return logits.argmax(1)
    # Relative to the largest, in float64: no temperature is too small for it.
    scaled = (logits.double() - logits.amax(1, keepdim=True).double()) / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[1]:
        scaled = scaled.masked_fill(scaled < scaled.topk(sampling.top_k).values[:, -1:], -torch.inf)
    shares = torch.softmax(scaled, 1)
    if sampling.top_p < 1:
        ordered, tokens = shares.sort(dim=1, descending=True, stable=True)
        before = ordered.cumsum(1) - ordered
        shares = torch.zeros_like(shares).scatter(1, tokens, torch.where(before < sampling.top_p, ordered, 0))
    return torch.multinomial(shares, 1, generator=generator).squeeze(1)
