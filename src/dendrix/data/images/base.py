"""In-memory data sets of labelled images."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ...core import expect
from ...errors import InputError, InputTypeError
from .mnist import mnist


@dataclass(frozen=True)
class ImageDataset:
    """Labelled images of one size.

    Args:
        x: images, uint8 [N, C, H, W].
        y: class of each image, int64 [N].
        labels: names of the K classes.
    Raises:
        InputError: there is no image, the numbers of images and classes differ, or a class has no name.
        InputTypeError: the images are not uint8.
    """

    x: Tensor
    y: Tensor
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        expect(self.x, "N C H W")
        if self.x.dtype != torch.uint8:
            raise InputTypeError(f"x: expected images of torch.uint8 (0 to 255), got {self.x.dtype}. Scale, round and convert them first.")
        expect_classes(self.y, len(self.x), self.labels)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def channels(self) -> int:
        """Number of channels C: 3 for colour images, 1 for greyscale images."""
        return self.x.shape[1]

    def take(self, index: Tensor) -> Tensor:
        """Return the images `index`, int64 [B], as uint8 [B, C, H, W]."""
        return self.x[index]

    def subset(self, index: Tensor) -> "ImageDataset":
        """Return the items `index`, int64 [M] or bool [N], in that order."""
        return replace(self, x=self.x[index], y=self.y[index])


class ImageSplits(NamedTuple):
    """Training, validation and test split. Choose hyperparameters on `valid`; use `test` only for the reported result."""

    train: ImageDataset
    valid: ImageDataset
    test: ImageDataset


def hold_out(train: ImageDataset, test: ImageDataset, held_out: int) -> ImageSplits:
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
    return ImageSplits(train.subset(order[:kept]), train.subset(order[kept:]), test)


def mnist_images(root: str | Path | None = None, held_out: int = 1000) -> ImageSplits:
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
