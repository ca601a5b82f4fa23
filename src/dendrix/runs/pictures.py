"""Reading of picture files for an image network."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..data.images.folder import middle
from ..data.images.pictures import read_picture
from ..errors import InputError
from ..run_folder.checkpoint import Checkpoint
from ..run_folder.record import RUN, read_record


class Pictures(NamedTuple):
    """Pictures of one size, and notes on changes that the user may not expect."""

    x: Tensor
    """float32 [N, C, H, W], 0 to 1."""
    notes: tuple[str, ...]


def image_shape(checkpoint: Checkpoint, folder: Path) -> tuple[int, int, int]:
    """Return C, H and W of the images that a network takes.

    Args:
        checkpoint: the network.
        folder: its run; a run of 0.1.0 has the size only in the description of its data.
    Raises:
        InputError: the network does not take images, or its run does not record their size.
    """
    if checkpoint.shape is not None and len(checkpoint.shape) == 3:
        channels, height, width = checkpoint.shape
        return channels, height, width
    from .opened import source_of  # imported late because `opened` imports this module

    depth = getattr(getattr(checkpoint.model, "config", None), "channels", None)
    side = getattr(source_of(folder), "side", None) if (folder / RUN).is_file() else None
    if depth is None or side is None:
        raise InputError(
            f"{folder}: expected an image network, got {type(checkpoint.model).__name__}, whose run has no image size. Choose another."
        )
    return depth, side, side


def read_pictures(checkpoint: Checkpoint, folder: Path, files: Sequence[Path]) -> Pictures:
    """Read picture files for the network of a run; those of another size are cropped at the centre and scaled.

    Args:
        checkpoint: the network; for one channel, colours are averaged to grey.
        folder: its run.
        files: at least one file.
    Raises:
        OSError: a file is missing or not readable.
        InputError: a file is damaged or not a picture.
    """
    channels, height, width = image_shape(checkpoint, folder)
    from_files = (folder / RUN).is_file() and read_record(folder)["recipe"].get("data", {}).get("name") == "image-folder"
    notes: list[str] = []
    pictures = []
    for file in files:
        picture = read_picture(file, change=partial(_fit, (width, height), None if from_files else notes, file))
        grey = bool((picture == picture[:1]).all())
        if channels == 1:
            picture = picture.float().mean(0, keepdim=True)
        if grey and channels == 3 and not from_files:
            notes.append(f"{file} is grey, but the network was trained on colours.")
        if not grey and channels == 1:
            notes.append(f"{file} has colours, which were averaged to grey.")
        pictures.append(picture.float().div(255))
    return Pictures(torch.stack(pictures), tuple(notes))


def _fit(size: tuple[int, int], notes: list[str] | None, file: Path, picture: Any) -> Any:
    """Return a Pillow image in the size of the training images; without `notes`, every image is cropped at its centre, as in training."""
    if notes is not None:
        if picture.size == size:
            return picture
        notes.append(f"{file} has {picture.width} x {picture.height} pixels; its centre was scaled to {size[0]} x {size[1]}.")
    found = middle(max(size), picture)
    return found if size[0] == size[1] else found.resize(size)
