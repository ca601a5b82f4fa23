"""Quantisation-aware fine-tuning: a few epochs in which weights are rounded forward and pass their gradient straight through."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..core import expect_count, expect_in
from ..errors import InputError
from ..exits.network import Item, parts
from ..layers import DelayLinear
from ..layers.delay.base import delay_layers
from ..models import Decision
from .scales import scales


class _Rounded(nn.Module):
    """Weights [out, in, ...] rounded to a number of bits, with the gradient of the identity."""

    def __init__(self, bits: int, shared: bool):
        super().__init__()
        self.bits, self.shared = bits, shared

    def forward(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            found = torch.from_numpy(scales(weight.double().numpy(), self.bits)).to(weight.dtype)
            scale = (found.max().expand_as(found) if self.shared else found).view(-1, *[1] * (weight.dim() - 1))
            most = 2 ** (self.bits - 1) - 1
            rounded = (weight / scale).round().clamp(-most, most) * scale
        return weight + (rounded - weight).detach()


def finetune(
    network: nn.Module,
    data: Callable[[], Iterable[Item]],
    *,
    weights: int = 4,
    epochs: int = 3,
    lr: float = 2e-4,
    decision: Decision | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> nn.Module:
    """Fine-tune the weights of a network so that they lose less by rounding. Delays, time constants and normalisation stay as they are.

    Args:
        network: as `quantise` takes it; it stays as it is.
        data: gives the batches (x, valid, y) of an epoch, of training data.
        weights: bits of a weight, 2 to 8.
        epochs: passes over the data.
        lr: learning rate of Adam.
        decision: how outputs become a decision; the mean over time by default.
        progress: called after each epoch with its number and mean loss.
    Returns:
        a copy with rounded weights, in evaluation mode, for `quantise` with the same number of bits.
    Raises:
        InputError: a batch has no labels, or the loss is no longer finite.
    """
    expect_count(weights, "[2, 8]", "weights")
    expect_count(epochs, "[1, inf)", "epochs")
    expect_in(lr, "(0, inf)", "lr")
    rule, tuned = decision or Decision(), copy.deepcopy(network).eval().requires_grad_(False)
    for layer in delay_layers(tuned):
        layer.delay.data = layer.integer_delay().to(layer.delay)
        layer.rounded = True
    layers: list[Any] = [part for part in tuned.modules() if isinstance(part, DelayLinear | nn.Linear)]
    for part in layers:
        parametrize.register_parametrization(part, "weight", _Rounded(weights, shared=part is layers[-1]))
    masters = [part.parametrizations["weight"].original.requires_grad_(True) for part in layers]
    optimiser = torch.optim.Adam(masters, lr)
    for epoch in range(epochs):
        loss = _epoch(tuned, data(), rule, optimiser)
        if progress is not None:
            progress(epoch, loss)
    for part in layers:
        parametrize.remove_parametrizations(part, "weight")
    return tuned.requires_grad_(False)


def _epoch(network: nn.Module, data: Iterable[Item], decision: Decision, optimiser: torch.optim.Optimizer) -> float:
    """One pass; returns the mean loss."""
    total, count = 0.0, 0
    for item in data:
        x, valid, y = parts(item)
        if y is None:
            raise InputError("data: expected batches with labels to fine-tune on, (x, valid, y) or (x, y), got none. Pass the labels.")
        evidence = decision.evidence(network, x, valid)
        last = torch.full((len(x),), x.shape[1] - 1) if valid is None else valid.long().cumsum(1).argmax(1)
        loss = nn.functional.cross_entropy(evidence[torch.arange(len(x)), last], y)
        if not torch.isfinite(loss):
            raise InputError("lr: expected a loss that stays finite, got NaN or infinity. Lower the learning rate.")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total, count = total + loss.item() * len(x), count + len(x)
    return total / max(count, 1)
