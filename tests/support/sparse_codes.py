"""Random sparse codes, and how far a rate that was counted may be from the one that theory predicts."""

import math

import torch
from torch import Tensor


def random_codes(count: int, n: int, a: int) -> Tensor:
    """Uniformly random binary codes with exactly `a` active cells, [count, n]."""
    return torch.zeros(count, n).scatter_(1, torch.rand(count, n).topk(a).indices, 1)


def moved(codes: Tensor, v: int) -> Tensor:
    """Each code with exactly v of its active cells silenced and v of the others active instead."""
    lost = (torch.rand_like(codes) + codes).topk(v).indices
    gained = (torch.rand_like(codes) - codes).topk(v).indices
    return codes.scatter(1, lost, 0).scatter(1, gained, 1)


def assert_rate(hits: Tensor, predicted: float) -> None:
    """The share of hits, bool, lies within four standard errors of what was predicted; 1e-3 < predicted < 1 makes that sharp."""
    assert 1e-3 < predicted < 1 - 1e-3, predicted
    error = math.sqrt(predicted * (1 - predicted) / hits.numel())
    assert abs(hits.double().mean().item() - predicted) < 4 * error, (hits.double().mean().item(), predicted, error)
