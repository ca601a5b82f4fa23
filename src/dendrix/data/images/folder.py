"""Your own images, or ImageNet: a folder with `train` and `val`, each with one folder of JPEG or PNG files for every class."""

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
"""The shorter side of an image relative to that of the middle which is taken: 256 to 224, as usual."""
_SMALLEST, _LARGEST_RATIO = 0.08, 4 / 3
"""The least share of an image's area that a random part has, and the largest ratio of its sides."""


@dataclass(frozen=True)
class ImageFiles:
    """Labelled image files, which are decoded when they are taken, in as many threads as torch uses.

    Args:
        paths: the files.
        y: the class of each, int64 [N].
        labels: the names of the K classes.
        side: H and W of what is taken, in pixels.
        parts: take a random part of every image, stretched to a square, instead of the middle.
    Raises:
        ValueError: files and classes differ in number, there are none, or a class has no name.
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
        """C: greys become colours."""
        return 3

    def take(self, index: Tensor) -> Tensor:
        """The images `index`, int64 [B], as bytes: [B, 3, side, side]. Random parts are drawn by torch's generator.

        Raises:
            ValueError: a file is damaged; it is named.
        """
        draws = torch.rand(len(index), 4).tolist() if self.parts else [None] * len(index)
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            return torch.stack(list(threads.map(self._read, index.tolist(), draws)))

    def subset(self, index: Tensor) -> "ImageFiles":
        """The items `index`, int64 [M] or bool [N], in that order."""
        chosen = index.nonzero().flatten() if index.dtype == torch.bool else index
        return replace(self, paths=[self.paths[i] for i in chosen.tolist()], y=self.y[chosen])

    def batches(self, size: int = 64, *, tail_steps: int = 0) -> Iterable[Batch]:
        """All images in their order, as an image network takes them; `valid` is None."""
        return image_batches(self, size)

    def hash_into(self, digest: Hash) -> None:
        """Add names, sizes and classes to a digest; reading all files would take hours."""
        digest.update("".join(f"{path}:{path.stat().st_size};" for path in self.paths).encode())
        hash_tensor(digest, self.y)

    def _read(self, number: int, draw: list[float] | None) -> Tensor:
        change = partial(middle, self.side) if draw is None else partial(_random_part, self.side, draw)
        return read_picture(self.paths[number], change=change)


def image_folder(root: str | Path | None = None, side: int = 224, held_out: float = 0.02) -> Splits[ImageFiles]:
    """Read a folder of images: `train/CLASS/FILE` and `val/CLASS/FILE`. As usual for ImageNet, `val` is what is tested on.

    Args:
        root: the folder; None takes the one that the environment variable DENDRIX_DATA names.
        side: of the squares to take, in pixels. Training images give random parts, the others their middle.
        held_out: the share of the training images, at random, that is for validation.
    Raises:
        FileNotFoundError: no root is given, or the folders are not there.
        ValueError: a class has no file, or the two parts have other classes.
    """
    base = data_root(root, _TITLE, "Sort the images into train/CLASS and val/CLASS")
    train, test = find_images(base / "train", side), find_images(base / "val", side)
    if train.labels != test.labels:
        other = sorted(set(train.labels) ^ set(test.labels))
        raise InputError(f"{base}: expected the same classes in train and val, but only one has {', '.join(other)}. Sort them alike.")
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    count = max(1, round(held_out * len(train)))
    if not 0 < held_out < 1 or count == len(train):
        raise InputError(f"held_out: expected a share in (0, 1) that leaves images to train on, got {held_out} of {len(train)}.")
    kept, chosen = order[count:].sort().values, order[:count].sort().values
    return Splits(replace(train.subset(kept), parts=True), train.subset(chosen), test)


def find_images(folder: Path, side: int) -> ImageFiles:
    """The images of a folder with one sub-folder for each class, without reading them.

    Raises:
        FileNotFoundError: the folder is not there.
        InputError: it has no class, or a class without images.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{_TITLE}: expected the folder {folder} with one folder for each class, which is not there. Check the path."
        )
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = [[path for path in sorted(place.iterdir()) if path.suffix.lower() in _ENDINGS] for place in classes]
    if empty := [place.name for place, files in zip(classes, found, strict=True) if not files]:
        raise InputError(f"{folder}: expected JPEG or PNG files for every class, got none for {', '.join(empty)}. Add some or remove it.")
    y = torch.tensor([number for number, files in enumerate(found) for _ in files], dtype=torch.int64)
    return ImageFiles([path for files in found for path in files], y, tuple(place.name for place in classes), side)


def middle(side: int, picture: Any) -> Any:
    """The middle of a Pillow image, a square of 7/8 of its shorter side, scaled to `side` pixels."""
    width = height = min(picture.size) / _MARGIN
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    return picture.resize((side, side), box=(left, top, left + width, top + height))


def _random_part(side: int, draw: list[float], picture: Any) -> Any:
    """A part of a Pillow image of random area, ratio and place, stretched to a square.

    Source: Szegedy et al. (2015), arXiv 1409.4842; a part that is longer than the image is cut.
    """
    area = (_SMALLEST + (1 - _SMALLEST) * draw[0]) * picture.width * picture.height
    ratio = math.exp((2 * draw[1] - 1) * math.log(_LARGEST_RATIO))
    width, height = min(picture.width, math.sqrt(area * ratio)), min(picture.height, math.sqrt(area / ratio))
    left, top = draw[2] * (picture.width - width), draw[3] * (picture.height - height)
    return picture.resize((side, side), box=(left, top, left + width, top + height))
