"""Learning rates with their own schedules; each is a pure function of the progress, so a resumed run continues exactly."""

import math

import torch

from .sequence.recipe import SequenceOptim

_WARM_UP, _START, _END = 0.3, 1 / 25, 1 / 25 / 1e4
_BETA1, _SHORTENING = 0.95, 0.1


def height(progress: float, warm_up: float = _WARM_UP) -> float:
    """A rise from 0 to 1 along a cosine until `warm_up`, then a fall back to 0 at progress 1."""
    if progress < warm_up:
        return (1 - math.cos(math.pi * progress / warm_up)) / 2
    return (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) / 2


def one_cycle(progress: float, warm_up: float = _WARM_UP) -> float:
    """Share of the peak rate at `progress` in [0, 1]: up along a cosine over the first 30 %, then down to nearly zero.

    Source: Smith & Topin (2018), arXiv 1708.07120, with the defaults of torch's OneCycleLR.
    """
    lowest = _START if progress < warm_up else _END
    return lowest + (1 - lowest) * height(progress, warm_up)


def cosine(progress: float) -> float:
    """Share of the first rate at `progress` in [0, 1]: down to zero along a cosine."""
    return (1 + math.cos(math.pi * progress)) / 2


def set_rates(optimizer: torch.optim.Optimizer, optim: SequenceOptim, progress: float, epochs: int) -> None:
    """Give every group its learning rate at `progress` in [0, 1], and the weights their beta1 where it cycles.

    Where rates move with every epoch, the cycle is that of torch's OneCycleLR stepped so: its last rate is that of the last epoch.
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
