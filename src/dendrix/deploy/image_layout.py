"""Stages of integer image networks, and their places in flat tables and in the state of a row.

Map 0 is the image and map k + 1 the output of stage k; maps are [H, W, C].
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..lowering.stage_forms import EdgeForm
from .integer_layer import Ints

KINDS = ("signed", "if", "pool", "out")
"""Kinds of stages, numbered as here: two kinds of neurons, sums over windows, and the read-out."""
EDGES = ("conv", "gain", "pool")
"""Kinds of edges, numbered as here: a convolution, one factor per channel, and sums over windows."""


@dataclass(frozen=True)
class StageForm:
    """Sizes and kind of a stage."""

    path: str
    """Name in the network that it was made from."""
    kind: str
    """One of `KINDS`."""
    shape: tuple[int, int, int]
    """Height, width and channels of its map."""
    edges: tuple[EdgeForm, ...]
    limit: int = 0
    """Signed neurons: largest number of spikes that are not cancelled; 0 for no limit."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "StageForm":
        """The form of JSON values, which have lists for tuples."""
        pairs = ("kernel", "stride", "padding")
        edges = tuple(EdgeForm(**edge | {name: tuple(edge[name]) for name in pairs if name in edge}) for edge in values["edges"])
        return cls(**{**values, "edges": edges, "shape": tuple(values["shape"])})

    @property
    def size(self) -> int:
        """Number of values of its map."""
        return int(np.prod(self.shape))

    @property
    def fires(self) -> bool:
        """Whether it has neurons."""
        return self.kind in ("signed", "if")


@dataclass(frozen=True)
class Stage:
    """A stage with its integers; arrays are int64. Equations: `image_reference`."""

    form: StageForm
    weights: tuple[Ints, ...] = ()
    """Of every edge: of a convolution [in, kernel height, kernel width, out / groups], of a gain [channels], of a pool [0]."""
    bias: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """Per channel, as `threshold` and `start`; in the unit of the membrane."""
    threshold: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    start: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """Membrane before the first step."""


STAGE_FIELDS = (
    "kind", "size", "channels", "height", "width", "limit", "edge_at", "edges", "map_at", "membrane_at", "sent_at", "constant_at",
)  # fmt: skip
"""Columns of the table of stages."""
EDGE_FIELDS = (
    "kind", "source_at", "in_height", "in_width", "in_channels", "kernel_height", "kernel_width", "stride_height", "stride_width",
    "padding_height", "padding_width", "groups", "shift", "weight_at",
)  # fmt: skip
"""Columns of the table of edges."""


class ImagePlan(NamedTuple):
    """Places in the flat tables and in the state of a row."""

    stages: NDArray[np.int64]
    """[S, F], columns as in `STAGE_FIELDS`."""
    edges: NDArray[np.int64]
    """[E, G], columns as in `EDGE_FIELDS`. The weights of a gain lie among the constants."""
    weights: int
    """Number of weights."""
    constants: int
    memory: int
    """Numbers of the state of one row: of every stage with neurons its membranes, and of signed ones what they have sent."""
    maps: int
    """Numbers of all maps, the image included."""


def image_plan(image: tuple[int, int, int], forms: Sequence[StageForm]) -> ImagePlan:
    """Lay out tables and state.

    Args:
        image: height, width and channels of an image.
        forms: the stages.
    """
    shapes, maps = [image], [0, int(np.prod(image))]
    stages: list[list[int]] = []
    edges: list[list[int]] = []
    weights = constants = memory = 0
    for form in forms:
        height, width, channels = form.shape
        first, constant_at = len(edges), constants
        constants += 0 if form.kind == "pool" else 3 * channels
        for edge in form.edges:
            source = shapes[edge.source]
            gain = edge.kind == "gain"
            at = constants if gain else weights
            sizes = *source, *edge.kernel, *edge.stride, *edge.padding
            edges.append([EDGES.index(edge.kind), maps[edge.source], *sizes, edge.groups, edge.shift, at])
            constants += channels if gain else 0
            weights += weight_count(edge, source[2], channels)
        sent_at = memory + (form.size if form.fires else 0)
        row = [KINDS.index(form.kind), form.size, channels, height, width, form.limit, first, len(form.edges), maps[-1], memory, sent_at]
        stages.append([*row, constant_at])
        memory = sent_at + (form.size if form.kind == "signed" else 0)
        shapes.append(form.shape)
        maps.append(maps[-1] + form.size)
    return ImagePlan(np.array(stages, np.int64), np.array(edges, np.int64), weights, constants, memory, maps[-1])


def weight_count(edge: EdgeForm, inputs: int, outputs: int) -> int:
    """Number of int8 weights of an edge."""
    return inputs * edge.kernel[0] * edge.kernel[1] * (outputs // edge.groups) if edge.kind == "conv" else 0


def image_tables(stages: Sequence[Stage]) -> tuple[Ints, Ints]:
    """Weights and constants of stages as flat arrays, in the order of `image_plan`."""
    weights: list[Ints] = [np.zeros(0, np.int64)]
    constants: list[Ints] = [np.zeros(0, np.int64)]
    for stage in stages:
        constants += [stage.bias, stage.threshold, stage.start]
        for edge, weight in zip(stage.form.edges, stage.weights, strict=True):
            (constants if edge.kind == "gain" else weights).append(weight.ravel())
    return np.concatenate(weights), np.concatenate(constants)


def read_tables(image: tuple[int, int, int], forms: Sequence[StageForm], weights: Ints, constants: Ints) -> list[Stage]:
    """The stages with named arrays, out of flat tables."""
    found: list[Stage] = []
    shapes, weight_at, constant_at = [image], 0, 0
    for form in forms:
        channels, parts = form.shape[2], []
        if form.kind != "pool":
            bias, threshold, start = constants[constant_at : constant_at + 3 * channels].reshape(3, channels)
            constant_at += 3 * channels
        else:
            bias = threshold = start = np.zeros(0, np.int64)
        for edge in form.edges:
            inputs = shapes[edge.source][2]
            count = weight_count(edge, inputs, channels)
            if edge.kind == "gain":
                parts.append(constants[constant_at : constant_at + channels])
                constant_at += channels
            elif edge.kind == "conv":
                parts.append(weights[weight_at : weight_at + count].reshape(inputs, *edge.kernel, channels // edge.groups))
            else:
                parts.append(np.zeros(0, np.int64))
            weight_at += count
        found.append(Stage(form, tuple(parts), bias, threshold, start))
        shapes.append(form.shape)
    return found
