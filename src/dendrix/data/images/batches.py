"""Batches of images, from memory or from files."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from ..base import Batch


class Images(Protocol):
    """Protocol of labelled images that are read on access."""

    @property
    def y(self) -> Tensor:
        """Class of each image, int64 [N]."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> Tensor:
        """Return the images `index`, int64 [B]: [B, C, H, W], bytes or float32 from 0 to 1."""


def take_batch(data: Images, index: Tensor, device: torch.device | str = "cpu") -> Batch:
    """Return the images `index` as the input of a network.

    Args:
        data: labelled images.
        index: int64 [B].
        device: device of the batch.
    """
    images = data.take(index).to(device)
    return Batch(images if images.is_floating_point() else images.float().div_(255), None, data.y[index].to(device))


def image_batches(data: Images, batch_size: int = 256, device: torch.device | str = "cpu") -> Iterator[Batch]:
    """Yield all images in order, without augmentation.

    Args:
        data: labelled images.
        batch_size: B; the last batch may be smaller.
        device: device of the batches.
    """
    for index in torch.split(torch.arange(len(data)), batch_size):
        yield take_batch(data, index, device)
