"""In-memory data sets of labelled images."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ...core import expect
from ...errors import InputError, InputTypeError
from ..base import Batch, Hash, Splits, hash_tensor
from .batches import image_batches
from .mnist import mnist


@dataclass(frozen=True)
class ImageDataset:
    """Labelled images of one size.

    Args:
        x: images, uint8 [N, C, H, W], or float32 in [0, 1].
        y: class of each image, int64 [N].
        labels: names of the K classes.
    Raises:
        InputError: there is no image, the numbers of images and classes differ, or a class has no name.
        InputTypeError: the images are not uint8.
    """

    x: Tensor
    y: Tensor
    labels: tuple[str, ...]
    dt_ms: ClassVar[None] = None

    def __post_init__(self) -> None:
        expect(self.x, "N C H W")
        if self.x.dtype not in (torch.uint8, torch.float32):
            raise InputTypeError(f"x: expected images of bytes (torch.uint8) or of float32 from 0 to 1, got {self.x.dtype}. Convert them.")
        expect_classes(self.y, len(self.x), self.labels)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def channels(self) -> int:
        """Number of channels C: 3 for colour images, 1 for greyscale images."""
        return self.x.shape[1]

    def take(self, index: Tensor) -> Tensor:
        """Return the images `index`, int64 [B], [B, C, H, W], in the dtype that they have."""
        return self.x[index]

    def subset(self, index: Tensor) -> "ImageDataset":
        """Return the items `index`, int64 [M] or bool [N], in that order."""
        return replace(self, x=self.x[index], y=self.y[index])

    def batches(self, size: int = 64, *, tail_steps: int = 0) -> Iterable[Batch]:
        """Return batches of all images in order, as network inputs; `valid` is None."""
        return image_batches(self, size)

    def hash_into(self, digest: Hash) -> None:
        """Update a digest with all images and classes."""
        for x in self.x:
            digest.update(str(tuple(x.shape)).encode())
            hash_tensor(digest, x)
        hash_tensor(digest, self.y)


def hold_out(train: ImageDataset, test: ImageDataset, held_out: int) -> Splits[ImageDataset]:
    """Split the last `held_out` training images off for validation.

    Args:
        train: training images.
        test: test images, returned unchanged.
        held_out: number of validation images.
    Raises:
        InputError: the training or the validation split would be empty.
    """
    kept = len(train) - held_out
    if held_out < 1 or kept < 1:
        raise InputError(f"held_out: expected 1 to {len(train) - 1} of {len(train)} training images, got {held_out}. Choose fewer.")
    order = torch.arange(len(train))
    return Splits(train.subset(order[:kept]), train.subset(order[kept:]), test)


def mnist_images(root: str | Path | None = None, held_out: int = 1000) -> Splits[ImageDataset]:
    """Load MNIST as images [1, 28, 28].

    Args:
        root: as in `mnist`.
        held_out: number of training images, from the end, that are used for validation.
    Raises:
        OSError: as in `mnist`.
        InputError: as in `mnist`, or the training or the validation split would be empty.
    """
    train, test = (ImageDataset(part.x.unsqueeze(1), part.y, tuple("0123456789")) for part in mnist(root))
    return hold_out(train, test, held_out)


def expect_classes(y: Tensor, count: int, labels: tuple[str, ...]) -> None:
    """Raise InputError unless y holds one class with a name for each of `count` images."""
    expect(y, "N", "y", N=count)
    if int(y.min()) < 0 or int(y.max()) >= len(labels):
        raise InputError(f"y: expected classes 0 to {len(labels) - 1}, got {int(y.min())} to {int(y.max())}. Check labels.")
