"""Sampling of the next token: greedy, or random with temperature, top-k and top-p."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..core import expect, expect_fields


@dataclass(frozen=True)
class Sampling:
    """Sampling parameters, applied in this order, which is that of transformers.

    Raises:
        InputError: a field is out of range.
    """

    temperature: float = 1.0
    """Divisor of the logits; 0 selects the most likely token."""
    top_k: int | None = None
    """Number of most likely tokens to sample from; None samples from all."""
    top_p: float = 1.0
    """Sample from the smallest set of most likely tokens with at least this total probability."""

    def __post_init__(self) -> None:
        expect_fields(self, temperature="[0, inf)", top_k="[1, inf)", top_p="(0, 1]")


def sample(logits: Tensor, sampling: Sampling, generator: torch.Generator | None = None) -> Tensor:
    """Sample a token for every row.

    Args:
        logits: [B, V].
        sampling: sampling parameters.
        generator: random number generator, shared by the rows; None takes that of torch. Call the function per row for separate generators.
    Returns:
        token ids, int64 [B].
    Raises:
        FloatingPointError: a logit is NaN or infinite.
    """
    expect(logits, "B V", "logits")
    if not bool(torch.isfinite(logits).all()):
        raise FloatingPointError("logits: expected finite numbers, got NaN or infinity. Did the training diverge?")
    if sampling.temperature == 0:
        return logits.argmax(1)
    # Differences to the largest logit in float64 do not overflow at any temperature.
    scaled = (logits.double() - logits.amax(1, keepdim=True).double()) / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[1]:
        scaled = scaled.masked_fill(scaled < scaled.topk(sampling.top_k).values[:, -1:], -torch.inf)
    shares = torch.softmax(scaled, 1)
    if sampling.top_p < 1:
        ordered, tokens = shares.sort(dim=1, descending=True, stable=True)
        before = ordered.cumsum(1) - ordered
        shares = torch.zeros_like(shares).scatter(1, tokens, torch.where(before < sampling.top_p, ordered, 0))
    return torch.multinomial(shares, 1, generator=generator).squeeze(1)
