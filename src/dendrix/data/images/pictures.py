"""JPEG and PNG pictures. The one place that imports Pillow."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError, MissingExtraError


def read_picture(source: Path | bytes, name: str = "", change: Callable[[Any], Any] | None = None) -> Tensor:
    """Decode one picture to colours, uint8 [3, H, W]; greys, palettes and transparency become three colours.

    Args:
        source: a file, or the bytes of one.
        name: what to call it in an error, instead of the file.
        change: called on the Pillow image before it becomes a tensor, to crop or resize it.
    Raises:
        ImportError: Pillow is missing.
        OSError: the file may not be read.
        ValueError: it is damaged, or no picture.
    """
    image = _pillow()
    content = source if isinstance(source, bytes) else source.read_bytes()
    try:
        picture = image.open(io.BytesIO(content)).convert("RGB")
    except (OSError, SyntaxError, ValueError, image.DecompressionBombError) as error:
        what = name or str(source)
        reason = str(error).partition(" <")[0]  # Pillow ends with the address of the bytes
        raise InputError(f"{what}: expected a picture, but it cannot be decoded ({reason}). Copy it again or remove it.") from error
    return torch.from_numpy(np.array(change(picture) if change else picture)).permute(2, 0, 1)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as missing:
        raise MissingExtraError("Pictures need Pillow, which is not installed: pip install dendrix[data].") from missing
    return Image
