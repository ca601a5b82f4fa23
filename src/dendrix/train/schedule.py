"""Schedules of learning rates: pure functions of the progress, so that a resumed run continues exactly."""

import math

import torch

from .sequence.recipe import SequenceOptim

_WARM_UP, _START, _END = 0.3, 1 / 25, 1 / 25 / 1e4
_BETA1, _SHORTENING = 0.95, 0.1


def height(progress: float, warm_up: float = _WARM_UP) -> float:
    """Return a value that rises along a cosine from 0 to 1 at `warm_up`, then falls along a cosine to 0 at progress 1."""
    if progress < warm_up:
        return (1 - math.cos(math.pi * progress / warm_up)) / 2
    return (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) / 2


def one_cycle(progress: float, warm_up: float = _WARM_UP) -> float:
    """Return the share of the peak rate at `progress` in [0, 1]: it rises over the first 30 %, then falls to nearly zero.

    Source: Smith & Topin (2018), arXiv 1708.07120, with the defaults of torch's OneCycleLR.
    """
    lowest = _START if progress < warm_up else _END
    return lowest + (1 - lowest) * height(progress, warm_up)


def cosine(progress: float) -> float:
    """Return the share of the first rate at `progress` in [0, 1]: it falls along a cosine to zero."""
    return (1 + math.cos(math.pi * progress)) / 2


def set_rates(optimizer: torch.optim.Optimizer, optim: SequenceOptim, progress: float, epochs: int) -> None:
    """Set the learning rate of every group at `progress` in [0, 1], and beta1 of the weights if it cycles.

    If rates change once per epoch, the cycle equals torch's OneCycleLR stepped once per epoch: its last rate is that of the last epoch.
    """
    cycle = (progress, _WARM_UP)
    if optim.moves == "epoch":
        last = max(epochs - 1, 1)
        cycle = (progress * epochs / last, max(_WARM_UP * epochs - 1, 0) / last)
    for group in optimizer.param_groups:
        if group["name"] == "delays":
            group["lr"] = optim.delay_lr * cosine(progress)
        else:
            group["lr"] = optim.lr * one_cycle(*cycle)
            if optim.cycle_beta1:
                group["betas"] = (_BETA1 - _SHORTENING * height(*cycle), group["betas"][1])
