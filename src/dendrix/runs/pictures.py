"""Picture files as a network knows images from its training."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ..data.images.folder import middle
from ..data.images.pictures import read_picture
from ..pretrained import find_run
from ..train.image.data import ImageFolderData, ImageSource
from .opened import data_of


class Pictures(NamedTuple):
    """Pictures of one size, and what was done to them that their owner might not expect."""

    x: Tensor
    """float32 [N, C, H, W], 0 to 1."""
    notes: tuple[str, ...]


def read_pictures(run: Path, channels: int, files: Sequence[Path]) -> Pictures:
    """Read JPEG and PNG files for the network of a run; those of another size lose their edges and are scaled.

    Args:
        run: its folder, which tells what it was trained on.
        channels: C, 3 for colours or 1 for greys; colours become greys by their mean.
        files: at least one.
    Raises:
        OSError: a file is not there or may not be read.
        ValueError: a file is damaged or no picture.
    """
    source = cast(ImageSource, data_of(find_run(run)))
    notes: list[str] = []
    pictures = []
    for file in files:
        picture = read_picture(file, change=partial(_fit, source, file, notes))
        grey = bool((picture == picture[:1]).all())
        if channels == 1:
            picture = picture.float().mean(0, keepdim=True)
        if grey and channels == 3 and not isinstance(source, ImageFolderData):
            notes.append(f"{file} is grey, and the network learned from colours.")
        if not grey and channels == 1:
            notes.append(f"{file} has colours, which became greys.")
        pictures.append(picture.float().div(255))
    return Pictures(torch.stack(pictures), tuple(notes))


def _fit(source: ImageSource, file: Path, notes: list[str], picture: Any) -> Any:
    """A Pillow image in the size of the training images; from a folder of files every image gives its middle, as in training."""
    side = source.side
    if isinstance(source, ImageFolderData):
        return middle(side, picture)
    if picture.size == (side, side):
        return picture
    notes.append(f"{file} has {picture.width} x {picture.height} pixels; its middle was scaled to {side} x {side}.")
    return middle(side, picture)
