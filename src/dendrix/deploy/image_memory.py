"""Memory of one image in the C engine: where each array lies, in bytes."""

from dataclasses import dataclass

import numpy as np

from .c_layout import Cursor
from .image_network import IntegerImageNetwork


@dataclass(frozen=True)
class StagePlace:
    """Where the arrays of a stage lie. The read-out keeps its outputs in place of membranes."""

    map: int
    membrane: int
    sent: int


@dataclass(frozen=True)
class ImageMemory:
    """Where everything of an image lies, in bytes from the start."""

    total: int
    streak: int
    current: int
    image: int
    stages: tuple[StagePlace, ...]
    size: int


def image_memory(network: IntegerImageNetwork) -> ImageMemory:
    """Lay out the memory of an image: wide numbers first, so that none is padded."""
    cursor = Cursor()
    total, streak = cursor.take(network.outputs, 8), cursor.take(2, 4)
    current = cursor.take(network.forms[0].size, 4)
    membranes = [cursor.take(0 if form.kind == "pool" else form.size, 4) for form in network.forms]
    image = cursor.take(int(np.prod(network.image)), 2)
    sent = [cursor.take(form.size if form.kind == "signed" else 0, 2) for form in network.forms]
    maps = [cursor.take(0 if form.kind == "out" else form.size, 2) for form in network.forms]
    places = tuple(StagePlace(*place) for place in zip(maps, membranes, sent, strict=True))
    return ImageMemory(total, streak, current, image, places, -(-cursor.at // 8) * 8)
