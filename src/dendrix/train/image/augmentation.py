"""Random augmentation of image batches, with torch's global generator."""

import torch
from torch import Tensor

from .recipe import ImageAugment

_GREY = 0.5


def vary_images(x: Tensor, augment: ImageAugment) -> Tensor:
    """Return an augmented copy of the images x [B, C, H, W], from 0 to 1; each image has its own random draw.

    Source: shifts and flips as usual for CIFAR since Lee et al. (2015), arXiv 1409.5185; cutout after DeVries & Taylor (2017),
        arXiv 1708.04552.
    """
    count, _, height, width = x.shape
    row, column = (_places(count, size, augment.shift, x.device) for size in (height, width))
    if augment.flip:
        column = torch.where(torch.rand(count, 1, device=x.device) < 0.5, column, column.flip(1))
    padded = torch.nn.functional.pad(x, [augment.shift] * 4)
    # Channels last, so that one index moves all channels of a pixel.
    image = torch.arange(count, device=x.device).view(-1, 1, 1)
    x = padded.permute(0, 2, 3, 1)[image, row.unsqueeze(2), column.unsqueeze(1)].permute(0, 3, 1, 2)
    if augment.cutout:
        hidden = _band(count, height, augment.cutout, x).unsqueeze(2) & _band(count, width, augment.cutout, x).unsqueeze(1)
        x = x.masked_fill(hidden.unsqueeze(1), _GREY)
    return x


def _places(count: int, size: int, shift: int, device: torch.device) -> Tensor:
    """Return the source index in the padded image of each row or column: int64 [B, size]."""
    start = torch.randint(0, 2 * shift + 1, (count, 1), device=device)
    return start + torch.arange(size, device=device)


def _band(count: int, size: int, width: int, like: Tensor) -> Tensor:
    """Return a mask of a band of an axis around a random centre, which may reach beyond the edge: bool [B, size]."""
    start = torch.randint(0, size, (count, 1), device=like.device) - width // 2
    place = torch.arange(size, device=like.device)
    return (place >= start) & (place < start + width)
