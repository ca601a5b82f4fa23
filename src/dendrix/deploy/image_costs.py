"""Report of an export of an image network: flash, RAM, operations, and energy by the number of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..exits.rules.integer_probability import FACTORS
from .answering import rule_bounds
from .costs import BYTES, Sizes
from .image_c_source import stage_tables
from .image_deployed import DeployedImage
from .image_memory import image_memory
from .integer_layer import Ints

ENGINE_BYTES = 3_300
"""Code of the engine for a Cortex-M4 with clang -Os; measured, rounded up."""
_STRUCTURES = 64
"""Bytes of the structures of a stage and its edges, at most."""


@dataclass(frozen=True)
class ImageReport:
    """What an exported image network costs. Operations are counted on images."""

    tables_bytes: int
    engine_bytes: int
    memory_bytes: int
    first_operations: int
    """Multiplications and additions of the first stage, once per image."""
    operations_mean: float
    """Synaptic operations of all steps of an image, without the first stage."""
    dense_operations: int
    """The same if no value was zero."""
    steps: int

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for a table."""
        share = self.operations_mean / max(self.dense_operations, 1)
        return [
            ("flash", f"{self.tables_bytes + self.engine_bytes:,} bytes ({self.tables_bytes:,} of tables)"),
            ("RAM", f"{self.memory_bytes:,} bytes"),
            ("operations of the first stage", f"{self.first_operations:,} per image"),
            ("synaptic operations", f"{self.operations_mean:,.0f} per image of {self.steps} steps, {share:.1%} of a dense network"),
        ]


def image_sizes(deployed: DeployedImage) -> Sizes:
    """Count the bytes of the tables and of the memory of an image."""
    tables = 4 * len(FACTORS) + 8 * len([0] if deployed.rule is None else rule_bounds(deployed.rule)) + len(deployed.network.centre)
    for stage in deployed.network.stages():
        tables += _STRUCTURES + sum(BYTES[kind] * len(values) for kind, values in stage_tables(stage).values())
    return Sizes(tables, image_memory(deployed.network).size)


def image_report(deployed: DeployedImage, images: Sequence[Ints]) -> ImageReport:
    """Count what a network costs.

    Args:
        deployed: the network.
        images: images of bytes to count operations on, [height * width * channels] each.
    """
    size, network = image_sizes(deployed), deployed.network
    pixels = np.stack(images).reshape(-1, *network.image)
    _, _, counted = network.run(network.currents(pixels)[:, None], network.presented)
    dense = _dense(deployed)
    return ImageReport(
        size.tables, ENGINE_BYTES, size.memory, dense[0], float(counted.sum()) / len(pixels), sum(dense[1:]) * network.presented,
        network.presented,
    )  # fmt: skip


def _dense(deployed: DeployedImage) -> list[int]:
    """Products of every stage at a step, those with the padding included."""
    found = []
    for stage in deployed.network.stages():
        height, width, channels = stage.form.shape
        taps = [
            weight[..., 0].size // edge.groups if edge.kind == "conv" else 1
            for edge, weight in zip(stage.form.edges, stage.weights, strict=True)
        ]
        found.append(0 if stage.form.kind == "pool" else height * width * channels * sum(taps))
    return found
