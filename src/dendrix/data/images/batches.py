"""Batches of images, from memory or from files."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .base import ImageDataset
from .folder import ImageFiles


class ImageBatch(NamedTuple):
    """Images and their classes."""

    x: Tensor
    """float32 [B, C, H, W], 0 to 1."""
    y: Tensor
    """int64 [B]"""


def take_batch(data: ImageDataset | ImageFiles, index: Tensor, device: torch.device | str = "cpu") -> ImageBatch:
    """Return the images `index` as the input of a network.

    Args:
        data: labelled images.
        index: int64 [B].
        device: device of the batch.
    """
    return ImageBatch(data.take(index).to(device).float().div_(255), data.y[index].to(device))


def image_batches(data: ImageDataset | ImageFiles, batch_size: int = 256, device: torch.device | str = "cpu") -> Iterator[ImageBatch]:
    """Yield all images in order, without augmentation.

    Args:
        data: labelled images.
        batch_size: B; the last batch may be smaller.
        device: device of the batches.
    """
    for index in torch.split(torch.arange(len(data)), batch_size):
        yield take_batch(data, index, device)
