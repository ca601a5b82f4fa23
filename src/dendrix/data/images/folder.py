"""Image folders, such as ImageNet: `train` and `val`, each with one sub-folder of JPEG or PNG files per class."""

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...core import expect_fields
from ...errors import InputError
from ..base import Batch, Hash, Splits, hash_tensor
from ..pack import data_root
from .base import expect_classes
from .batches import image_batches
from .pictures import read_picture

_TITLE = "image folder"
_ENDINGS = {".jpeg", ".jpg", ".png"}
_MARGIN = 8 / 7
"""Shorter side of an image relative to the side of its centre crop: 256 / 224, as usual for ImageNet."""
_SMALLEST, _LARGEST_RATIO = 0.08, 4 / 3
"""Smallest area of a random crop relative to the image, and largest aspect ratio."""


@dataclass(frozen=True)
class ImageFiles:
    """Labelled image files, decoded on access with as many threads as torch uses.

    Args:
        paths: image files.
        y: class of each file, int64 [N].
        labels: names of the K classes.
        side: height and width of the crops, in pixels.
        parts: take a random crop of each image, resized to a square, instead of the centre crop.
    Raises:
        InputError: there is no file, the numbers of files and classes differ, a class has no name, or `side` is below 1.
    """

    paths: Sequence[Path]
    y: Tensor
    labels: tuple[str, ...]
    side: int = 224
    parts: bool = False
    dt_ms: ClassVar[None] = None

    def __post_init__(self) -> None:
        expect_fields(self, side="[1, inf)")
        expect_classes(self.y, len(self.paths), self.labels)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def channels(self) -> int:
        """Number of channels C: 3, because greyscale images are converted to colour."""
        return 3

    def take(self, index: Tensor) -> Tensor:
        """Decode the images `index`, int64 [B], to uint8 [B, 3, side, side]. Random crops are drawn by torch's global generator.

        Raises:
            OSError: a file cannot be opened.
            InputError: a file is damaged; the message names it.
            MissingExtraError: Pillow is not installed.
        """
        draws = torch.rand(len(index), 4).tolist() if self.parts else [None] * len(index)
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            return torch.stack(list(threads.map(self._read, index.tolist(), draws)))

    def subset(self, index: Tensor) -> "ImageFiles":
        """Return the items `index`, int64 [M] or bool [N], in that order."""
        chosen = index.nonzero().flatten() if index.dtype == torch.bool else index
        return replace(self, paths=[self.paths[i] for i in chosen.tolist()], y=self.y[chosen])

    def batches(self, size: int = 64, *, tail_steps: int = 0) -> Iterable[Batch]:
        """Return batches of all images in order, as network inputs; `valid` is None."""
        return image_batches(self, size)

    def hash_into(self, digest: Hash) -> None:
        """Add names, sizes and classes to a digest; reading all files would take hours."""
        digest.update("".join(f"{path}:{path.stat().st_size};" for path in self.paths).encode())
        hash_tensor(digest, self.y)

    def _read(self, number: int, draw: list[float] | None) -> Tensor:
        change = partial(middle, self.side) if draw is None else partial(_random_part, self.side, draw)
        return read_picture(self.paths[number], change=change)


def image_folder(root: str | Path | None = None, side: int = 224, held_out: float = 0.02) -> Splits[ImageFiles]:
    """Load a folder of images `train/CLASS/FILE` and `val/CLASS/FILE`. As usual for ImageNet, `val` is the test split.

    Args:
        root: folder that contains `train` and `val`; None takes the one named by the environment variable DENDRIX_DATA.
        side: side of the square crops, in pixels: random crops for training, centre crops otherwise.
        held_out: fraction of the training images, chosen at random with a fixed seed, that is used for validation.
    Raises:
        FileNotFoundError: no folder is given, or `train` or `val` is missing.
        InputError: a class has no file, `train` and `val` have different classes, or `held_out` leaves no training image.
    """
    base = data_root(root, _TITLE, "Sort the images into train/CLASS and val/CLASS")
    train, test = find_images(base / "train", side), find_images(base / "val", side)
    if train.labels != test.labels:
        other = sorted(set(train.labels) ^ set(test.labels))
        raise InputError(
            f"{base}: expected the same classes in train and val, but only one has {', '.join(other)}. Use the same folders in both."
        )
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    count = max(1, round(held_out * len(train)))
    if not 0 < held_out < 1 or count == len(train):
        raise InputError(
            f"held_out: expected a fraction in (0, 1) that leaves training images, got {held_out} of {len(train)}. Choose a smaller one."
        )
    kept, chosen = order[count:].sort().values, order[:count].sort().values
    return Splits(replace(train.subset(kept), parts=True), train.subset(chosen), test)


def find_images(folder: Path, side: int) -> ImageFiles:
    """List the images of a folder with one sub-folder per class, without reading them.

    Raises:
        FileNotFoundError: the folder does not exist.
        InputError: it has no class, or a class without images.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{_TITLE}: expected the folder {folder} with one folder for each class, but it does not exist. Check the path."
        )
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = [[path for path in sorted(place.iterdir()) if path.suffix.lower() in _ENDINGS] for place in classes]
    if empty := [place.name for place, files in zip(classes, found, strict=True) if not files]:
        raise InputError(
            f"{folder}: expected JPEG or PNG files for every class, got none for {', '.join(empty)}. Add files or remove the folder."
        )
    y = torch.tensor([number for number, files in enumerate(found) for _ in files], dtype=torch.int64)
    return ImageFiles([path for files in found for path in files], y, tuple(place.name for place in classes), side)


def middle(side: int, picture: Any) -> Any:
    """Return the centre crop of a Pillow image, a square of 7/8 of its shorter side, resized to `side` pixels."""
    width = height = min(picture.size) / _MARGIN
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    return picture.resize((side, side), box=(left, top, left + width, top + height))


def _random_part(side: int, draw: list[float], picture: Any) -> Any:
    """Return a crop of a Pillow image of random area, aspect ratio and position, resized to a square.

    Source: Szegedy et al. (2015), arXiv 1409.4842; a crop larger than the image is clipped.
    """
    area = (_SMALLEST + (1 - _SMALLEST) * draw[0]) * picture.width * picture.height
    ratio = math.exp((2 * draw[1] - 1) * math.log(_LARGEST_RATIO))
    width, height = min(picture.width, math.sqrt(area * ratio)), min(picture.height, math.sqrt(area / ratio))
    left, top = draw[2] * (picture.width - width), draw[3] * (picture.height - height)
    return picture.resize((side, side), box=(left, top, left + width, top + height))
