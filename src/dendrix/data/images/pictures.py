"""Decoding of image files. The only module that imports Pillow."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.files import read_bytes
from ...core.limits import expect_within, limit
from ...errors import InputError, MissingExtraError

ENDINGS = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))
"""Suffixes of the files that are read."""
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""Formats of Pillow that are tried: others, such as PostScript, start other programs."""
_ORIENTATION = 0x0112
"""Number of the orientation among the metadata of a camera; 1 is upright."""
_GREYS_OF_16_BITS = ("I;16", "I;16B", "I;16L", "I;16N")


def read_picture(source: Path | bytes, name: str = "", change: Callable[[Any], Any] | None = None) -> Tensor:
    """Decode one image to RGB, uint8 [3, H, W], upright as its camera says, on white where it is transparent.

    Greyscale and palette images become colours, 16 bits become 8, and floats from 0 to 1 become bytes.

    Args:
        source: path of a file, or its content.
        name: name of the image in error messages; empty takes the path.
        change: function applied to the Pillow image before its conversion to a tensor, such as a crop.
    Raises:
        MissingExtraError: Pillow is not installed.
        OSError: the file cannot be opened.
        InputError: the file is damaged, not an image, an animation or of several pages, larger than the limit of `image_pixels` (see
            `core.limits`), or has values whose full scale is unknown.
    """
    image = _pillow()
    content = source if isinstance(source, bytes) else read_bytes(source)
    what = name or str(source)
    try:
        picture = _opened(image, content, what)
        picture = plain(picture)
        picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    except InputError as error:
        if str(error).startswith(what):
            raise
        raise InputError(f"{what}: {error}") from error
    except Exception as error:  # a damaged file raises errors of any kind, from SyntaxError to struct.error
        reason = " ".join(str(error).partition(" <")[0].split()) or type(error).__name__  # Pillow appends the address of the buffer
        raise InputError(f"{what}: expected an image, but it cannot be decoded ({reason}). Copy it again or remove it.") from error
    return torch.from_numpy(np.array(change(picture) if change else picture)).permute(2, 0, 1)


def _opened(image: Any, content: bytes, what: str) -> Any:
    """The first and only page of an image file, not yet decoded."""
    most = int(limit("image_pixels"))
    if image.MAX_IMAGE_PIXELS is not None and most > image.MAX_IMAGE_PIXELS:
        image.MAX_IMAGE_PIXELS = most  # the user has allowed more than Pillow does
    picture = image.open(io.BytesIO(content), formats=_FORMATS)
    expect_within(picture.width * picture.height, "image_pixels", f"{what}, {picture.width} x {picture.height}")
    if (pages := getattr(picture, "n_frames", 1)) > 1 and picture.format != "MPO":  # of a camera, with a preview behind the picture
        raise InputError(f"{what}: expected one image, got {pages} in one {picture.format} file. Save one of them.")
    picture.load()
    return picture


def plain(picture: Any) -> Any:
    """A Pillow image upright, with 8 bits, and without transparency: greys ("L") or colours ("RGB").

    Raises:
        InputError: its values are floats or 32-bit integers whose full scale is unknown.
    """
    from PIL import ImageOps

    stored = picture.format
    with contextlib.suppress(Exception):  # damaged metadata: the picture stays as it is stored
        if picture.getexif().get(_ORIENTATION, 1) != 1:
            picture = ImageOps.exif_transpose(picture)
    if picture.mode in (*_GREYS_OF_16_BITS, "I", "F"):
        return _of_numbers(picture, stored)
    if "transparency" in picture.info or "A" in picture.getbands() or "a" in picture.getbands():
        colours = picture.convert("RGBA")
        white = _pillow().new("RGBA", colours.size, "white")
        return _pillow().alpha_composite(white, colours).convert("RGB")
    return picture if picture.mode in ("L", "RGB") else picture.convert("L" if picture.mode == "1" else "RGB")


def _of_numbers(picture: Any, stored: str | None) -> Any:
    """Greys of 16 bits or of floats as bytes."""
    values = np.asarray(picture).astype(np.float64)
    if picture.mode != "F" and (picture.mode != "I" or stored in ("PNG", "PPM")):
        full = 65535.0
    elif picture.mode == "F" and np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1:
        full = 1.0
    else:
        raise InputError(
            f"expected greys of 8 or 16 bits, or floats from 0 to 1, got {picture.mode} from {values.min():g} to {values.max():g}, whose "
            "full scale is unknown. Save it with 8 bits."
        )
    return _pillow().fromarray(np.rint(values * (255 / full)).astype(np.uint8))


def _pillow() -> Any:
    try:
        from PIL import Image
    except Exception as missing:
        raise MissingExtraError.of("Images need", "Pillow", "data", missing) from missing
    return Image
