"""Decoding of JPEG and PNG images. The only module that imports Pillow."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError, MissingExtraError


def read_picture(source: Path | bytes, name: str = "", change: Callable[[Any], Any] | None = None) -> Tensor:
    """Decode one image to RGB, uint8 [3, H, W]; greyscale, palette and transparent images are converted.

    Args:
        source: path of a file, or its content.
        name: name of the image in error messages; empty takes the path.
        change: function applied to the Pillow image before its conversion to a tensor, such as a crop.
    Raises:
        MissingExtraError: Pillow is not installed.
        OSError: the file cannot be opened.
        InputError: the file is damaged or not an image.
    """
    image = _pillow()
    content = source if isinstance(source, bytes) else source.read_bytes()
    try:
        picture = image.open(io.BytesIO(content)).convert("RGB")
    except (OSError, SyntaxError, ValueError, image.DecompressionBombError) as error:
        what = name or str(source)
        reason = str(error).partition(" <")[0]  # Pillow appends the memory address of the buffer
        raise InputError(f"{what}: expected an image, but it cannot be decoded ({reason}). Copy it again or remove it.") from error
    return torch.from_numpy(np.array(change(picture) if change else picture)).permute(2, 0, 1)


def _pillow() -> Any:
    try:
        from PIL import Image
    except Exception as missing:
        raise MissingExtraError.of("Images need", "Pillow", "data", missing) from missing
    return Image
