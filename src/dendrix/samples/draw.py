"""Drawings of things in the classes of CIFAR-10, 32 x 32 pixels: `python -m dendrix.samples.draw FOLDER` writes them.

Each is drawn from plain shapes at eight times the size, reduced, and given noise of a fixed seed.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
SIDE = 32
_LARGER = 8
_NOISE = 6.0
_SKY, _SEA, _ROAD, _GRASS = (150, 190, 230), (50, 95, 140), (110, 110, 112), (90, 140, 60)


def _airplane(draw: Any) -> None:
    draw.polygon([(40, 140), (60, 122), (190, 118), (225, 132), (190, 146), (60, 148)], fill=(225, 225, 230))
    draw.polygon([(110, 134), (70, 205), (95, 205), (150, 136)], fill=(190, 192, 200))
    draw.polygon([(120, 122), (95, 70), (112, 70), (152, 120)], fill=(205, 207, 213))
    draw.polygon([(42, 138), (26, 96), (46, 96), (72, 128)], fill=(180, 60, 60))


def _automobile(draw: Any) -> None:
    draw.rectangle([0, 170, 256, 256], fill=_ROAD)
    draw.polygon([(30, 180), (36, 142), (76, 136), (104, 100), (176, 100), (206, 138), (232, 146), (234, 180)], fill=(190, 35, 35))
    draw.polygon([(88, 136), (110, 108), (138, 108), (138, 136)], fill=(60, 75, 90))
    draw.polygon([(146, 136), (146, 108), (172, 108), (192, 136)], fill=(60, 75, 90))
    for x in (78, 190):
        draw.ellipse([x - 24, 156, x + 24, 204], fill=(25, 25, 28))
        draw.ellipse([x - 10, 170, x + 10, 190], fill=(150, 150, 155))


def _bird(draw: Any) -> None:
    draw.rectangle([0, 200, 256, 212], fill=(95, 70, 45))
    draw.ellipse([70, 90, 190, 190], fill=(120, 85, 60))
    draw.ellipse([150, 55, 215, 120], fill=(135, 95, 65))
    draw.polygon([(208, 80), (245, 92), (208, 100)], fill=(230, 170, 50))
    draw.polygon([(84, 150), (20, 190), (96, 176)], fill=(90, 62, 45))
    draw.ellipse([184, 76, 196, 88], fill=(15, 15, 15))
    draw.line([(125, 188), (125, 204)], fill=(200, 150, 60), width=8)


def _frog(draw: Any) -> None:
    draw.rectangle([0, 150, 256, 256], fill=_GRASS)
    draw.ellipse([58, 110, 200, 215], fill=(60, 125, 45))
    draw.ellipse([84, 80, 176, 150], fill=(70, 140, 50))
    for x in (96, 164):
        draw.ellipse([x - 20, 62, x + 20, 102], fill=(85, 155, 60))
        draw.ellipse([x - 9, 72, x + 9, 92], fill=(15, 20, 15))
        draw.ellipse([x - 50, 185, x + 40, 222], fill=(50, 105, 40))
    draw.arc([96, 96, 164, 138], 20, 160, fill=(30, 60, 25), width=5)


def _ship(draw: Any) -> None:
    draw.rectangle([0, 165, 256, 256], fill=_SEA)
    draw.polygon([(22, 150), (240, 150), (212, 196), (48, 196)], fill=(45, 45, 60))
    draw.rectangle([40, 140, 225, 152], fill=(150, 50, 45))
    draw.rectangle([80, 104, 190, 140], fill=(235, 235, 235))
    draw.rectangle([130, 66, 156, 104], fill=(200, 80, 50))
    for x in (92, 116, 140, 164):
        draw.rectangle([x, 116, x + 12, 128], fill=(60, 80, 100))


def _truck(draw: Any) -> None:
    draw.rectangle([0, 185, 256, 256], fill=_ROAD)
    draw.rectangle([18, 66, 168, 176], fill=(230, 230, 225))
    draw.polygon([(174, 176), (174, 96), (212, 96), (238, 136), (238, 176)], fill=(40, 80, 160))
    draw.polygon([(184, 132), (184, 106), (208, 106), (224, 132)], fill=(60, 75, 90))
    draw.rectangle([18, 176, 238, 184], fill=(50, 50, 52))
    for x in (58, 110, 206):
        draw.ellipse([x - 22, 164, x + 22, 208], fill=(25, 25, 28))
        draw.ellipse([x - 9, 177, x + 9, 195], fill=(150, 150, 155))


DRAWINGS: dict[str, Callable[[Any], None]] = {
    "airplane": _airplane,
    "automobile": _automobile,
    "bird": _bird,
    "frog": _frog,
    "ship": _ship,
    "truck": _truck,
}
"""Drawings by class."""


def drawn(name: str) -> Pixels:
    """Return a drawing, uint8 [32, 32, 3].

    Args:
        name: one of `DRAWINGS`.
    """
    from PIL import Image, ImageDraw  # imported late because Pillow is optional

    large = Image.new("RGB", (SIDE * _LARGER, SIDE * _LARGER), _SKY)
    DRAWINGS[name](ImageDraw.Draw(large))
    pixels = np.asarray(large.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)
    noise = np.random.default_rng(sorted(DRAWINGS).index(name)).normal(0, _NOISE, pixels.shape)
    return (pixels + noise).round().clip(0, 255).astype(np.uint8)


def main(folder: Path) -> None:
    """Write every drawing as a PNG file into an existing folder."""
    from PIL import Image

    for name in DRAWINGS:
        Image.fromarray(drawn(name)).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
