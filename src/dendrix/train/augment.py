"""Random changes of training batches; labels stay as they are."""

import torch
from torch import Tensor

from .recipe import Augment


def vary(x: Tensor, augment: Augment) -> Tensor:
    """A changed copy of x [B, T, C]; every row is changed by its own draw, and what is moved beyond the edge is lost.

    Source: masks after SpecAugment, Park et al. (2019), arXiv 1904.08779; the shift of the spectrum is ours.
    """
    rows, steps, channels = x.shape
    if augment.shift_channels:
        shift = _draw(rows, -augment.shift_channels, augment.shift_channels, x)
        origin = torch.arange(channels, device=x.device) - shift
        moved = x.gather(2, origin.clamp(0, channels - 1).unsqueeze(1).expand_as(x))
        x = moved.masked_fill(((origin < 0) | (origin >= channels)).unsqueeze(1), 0)
    if augment.mask_channels:
        x = x.masked_fill(_band(rows, channels, augment.mask_channels, x).unsqueeze(1), 0)
    if augment.mask_steps:
        x = x.masked_fill(_band(rows, steps, augment.mask_steps, x).unsqueeze(2), 0)
    return x


def _draw(rows: int, low: int, high: int, like: Tensor) -> Tensor:
    """Whole numbers from low to high, both included, [rows, 1]."""
    return torch.randint(low, high + 1, (rows, 1), device=like.device)


def _band(rows: int, size: int, longest: int, like: Tensor) -> Tensor:
    """For each row a random stretch of up to `longest` places out of `size`: bool [rows, size]."""
    start, length = _draw(rows, 0, size - 1, like), _draw(rows, 0, longest, like)
    place = torch.arange(size, device=like.device)
    return (place >= start) & (place < start + length)
