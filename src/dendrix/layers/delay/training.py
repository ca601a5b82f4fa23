"""Training of delays: annealing of widths, parameter groups, rounding for evaluation, and frozen copies."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from ...errors import InputError
from .base import delay_layers


@torch.no_grad()
def anneal(model: nn.Module, progress: float, narrowest: float | None = None) -> None:
    """Set the width of every delay layer, geometrically from its first width to `narrowest` as `progress` goes from 0 to 1.

    The width depends on the progress only, so that a resumed run continues exactly. The published schedule is `anneal(model, (epoch + 1) /
    (epochs // 4))` after each epoch, counted from 0. Widths that start at `narrowest` or below are not changed.

    Args:
        model: network with delay layers.
        progress: completed fraction of the annealing; 1 and above give the narrowest width.
        narrowest: final width, in steps; None takes `last_width` of each layer, as published.
    Raises:
        InputError: the progress is negative.

    Source: DCLS-Delays, arXiv 2306.17670; 0.23 plus the offset 0.27 equals the 0.5 of the paper.
    """
    if progress < 0:
        raise InputError(f"progress: expected at least 0, got {progress}. Pass the completed fraction of the annealing.")
    for layer in delay_layers(model):
        start, end = layer.first_width, layer.last_width if narrowest is None else narrowest
        if start > end:
            layer.width.fill_(start * (end / start) ** min(progress, 1.0))


@torch.no_grad()
def clamp_delays(model: nn.Module) -> None:
    """Clamp all delays to their ranges; call it after every optimiser step."""
    for layer in delay_layers(model):
        layer.clamp_()


def param_groups(model: nn.Module, lr: float, delay_lr: float | None = None, weight_decay: float = 1e-5) -> list[dict[str, Any]]:
    """Return parameter groups for an optimiser, named "weights", "others" and "delays"; empty groups are omitted.

    Args:
        model: any network; parameters without gradients are omitted.
        lr: learning rate of the weights and of the others (biases, normalisation and time constants: fewer than two axes).
        delay_lr: learning rate of the delays, in steps; by default 100 times `lr`, as published.
        weight_decay: weight decay of the weights.
    Returns:
        a list for `torch.optim.Adam(...)`.
    """
    delays = [layer.delay for layer in delay_layers(model) if isinstance(layer.delay, nn.Parameter)]
    known = {id(delay) for delay in delays}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in known]
    groups: list[dict[str, Any]] = [
        dict(name="weights", params=[p for p in rest if p.dim() > 1], lr=lr, weight_decay=weight_decay),
        dict(name="others", params=[p for p in rest if p.dim() <= 1], lr=lr, weight_decay=0.0),
        dict(name="delays", params=delays, lr=100 * lr if delay_lr is None else delay_lr, weight_decay=0.0),
    ]
    return [group for group in groups if group["params"]]


@contextlib.contextmanager
def rounded(model: nn.Module) -> Iterator[None]:
    """Round the delays to whole steps inside the context, and restore them afterwards."""
    layers = delay_layers(model)
    before = [layer.rounded for layer in layers]
    for layer in layers:
        layer.rounded = True
    try:
        yield
    finally:
        for layer, was in zip(layers, before, strict=True):
            layer.rounded = was


@torch.no_grad()
def freeze(model: nn.Module) -> nn.Module:
    """Return a copy of the model in evaluation mode, without gradients and with delays rounded permanently."""
    frozen = copy.deepcopy(model).eval().requires_grad_(False)
    for layer in delay_layers(frozen):
        layer.delay.copy_(layer.integer_delay())
        layer.rounded = True
    return frozen
