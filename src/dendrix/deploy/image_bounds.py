"""Proof that no number of an integer image network overflows: the largest that any image can bring, stage by stage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bounds import LIMIT
from .image_layout import Stage
from .integer_layer import Ints


@dataclass(frozen=True)
class ImageBound:
    """Largest magnitudes in one stage, for any image."""

    path: str
    value: int
    """Of a value of its map; pools stay below 2^15."""
    membrane: int
    """Of a membrane or an output within the given number of steps."""

    @property
    def proven(self) -> bool:
        """Whether nothing overflows."""
        return self.value < 2**15 and self.membrane < LIMIT


def bound_images(stages: Sequence[Stage], centre: Sequence[int], steps: int) -> list[ImageBound]:
    """Bound every stage.

    A membrane grows by at most its drive in a step, and a spike takes it no further from zero than the threshold:
    |v| <= max(|start|, threshold) + steps |drive|.

    Args:
        stages: the network.
        centre: what is subtracted from the pixels of each channel.
        steps: number of steps.
    """
    largest = [max(max(value, 255 - value) for value in centre)]
    found = []
    for stage in stages:
        form = stage.form
        if form.kind == "pool":
            (edge,) = form.edges
            value = largest[edge.source] * edge.kernel[0] * edge.kernel[1]
            found.append(ImageBound(form.path, value, 0))
        else:
            current = _drive(stage, largest)
            begin = np.maximum(np.abs(stage.start), stage.threshold) if form.fires else np.zeros_like(current)
            value = 1 if form.fires else 0
            found.append(ImageBound(form.path, value, int((begin + current * (steps if form.fires else 1)).max())))
        largest.append(value)
    return found


def _drive(stage: Stage, largest: Sequence[int]) -> Ints:
    """Largest magnitude of the drive, per channel."""
    total = np.abs(stage.bias)
    for edge, weight in zip(stage.form.edges, stage.weights, strict=True):
        size = np.abs(weight)
        if edge.kind == "conv":
            size = size.reshape(edge.groups, -1, size.shape[-1]).sum(1).ravel()
        total = total + ((size * largest[edge.source]) << edge.shift)
    return total
