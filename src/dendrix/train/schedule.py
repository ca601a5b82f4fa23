"""Two learning rates with their own schedules; each is a pure function of the progress, so a resumed run continues exactly."""

import math

import torch

from .recipe import Optim

_WARM_UP, _START, _END = 0.3, 1 / 25, 1e-5


def one_cycle(progress: float) -> float:
    """Share of the peak rate at `progress` in [0, 1]: up along a cosine over the first 30 %, then down to nearly zero.

    Source: Smith & Topin (2018), arXiv 1708.07120, with the defaults of torch's OneCycleLR.
    """
    if progress < _WARM_UP:
        return _START + (1 - _START) * (1 - math.cos(math.pi * progress / _WARM_UP)) / 2
    return _END + (1 - _END) * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP))) / 2


def cosine(progress: float) -> float:
    """Share of the first rate at `progress` in [0, 1]: down to zero along a cosine."""
    return (1 + math.cos(math.pi * progress)) / 2


def set_rates(optimizer: torch.optim.Optimizer, optim: Optim, progress: float) -> None:
    """Give every group its learning rate at `progress` in [0, 1]."""
    for group in optimizer.param_groups:
        group["lr"] = optim.delay_lr * cosine(progress) if group["name"] == "delays" else optim.lr * one_cycle(progress)
