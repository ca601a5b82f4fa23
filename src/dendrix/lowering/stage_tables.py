"""Flat tables of a network lowered to stages for the compiled loop, in float32.

Maps are [H, W, C] in the memory of a row. What a stage receives is summed in a map of its own with a margin, so that an input that is
not zero adds its weights to whole rows of outputs, also at the border, where the margin takes what falls outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .stage_forms import EdgeForm, FloatEdge, Floats, FloatStage, Shape

KINDS = ("signed", "if", "lif", "li", "pool", "out")
"""Kinds of stages, numbered as here."""
EDGES = ("conv", "gain", "pool", "max", "groups")
"""Kinds of edges, numbered as here; "groups" are convolutions with groups."""
PARAMETERS = ("bias", "threshold", "decay", "reset")
"""Parameters of a stage, in the order of the tables; each is repeated along a row of its map, [W * C]."""


class StageTables(NamedTuple):
    """A network as arrays, in the order in which the loops take them. Places are those in the memory of a row."""

    stages: NDArray[np.int64]
    """[S, 15]: kind, soft reset, limit, height, W * C; places of the map, of membranes and of sent spikes; of what arrives the place, the
    numbers from row to row, the place with its margin and the size with it; place of parameters; first edge, and edge behind the last.
    """
    edges: NDArray[np.int64]
    """[E, 14]: kind, source stage, place of the source, its pixels and channels, place of weights, weights per input channel, place in
    `footprints` or width of the source; height and width of kernel, stride and padding of pools, or inputs and outputs of a group and all
    outputs.
    """
    footprints: NDArray[np.int64]
    """[P, 4], of every pixel of the source of a convolution: where its outputs begin, place among the weights of its channel, rows of
    outputs, and outputs in a row.
    """
    weights: NDArray[np.float32]
    parameters: NDArray[np.float32]
    rest: NDArray[np.float32]
    """State of a row before its first step, the begin of its memory."""
    memory: int
    """Numbers of the memory of a row: the state, the maps from that of the inputs on, and what arrives at each stage."""


@dataclass
class _Room:
    """Arrays that grow, stage by stage."""

    edges: list[list[int]] = field(default_factory=list)
    footprints: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)
    rest: list[Any] = field(default_factory=list)

    def put(self, name: str, values: NDArray[Any]) -> int:
        """Append values; returns their place."""
        parts = getattr(self, name)
        parts.append(values)
        return sum(map(len, parts[:-1]))


def stage_tables(lowered: Sequence[FloatStage], inputs: Shape) -> StageTables:
    """Lay out the stages of a network whose map 0 has a given shape."""
    room = _Room()
    states = [_state(room, stage) for stage in lowered]
    shapes: list[Shape] = [inputs, *(stage.shape for stage in lowered)]
    begin = sum(map(len, room.rest))
    maps = [begin]
    for shape in shapes:
        maps.append(maps[-1] + int(np.prod(shape)))
    end, rows = maps[-1], []
    for number, stage in enumerate(lowered):
        height, width, channels = stage.shape
        margin = max((_margin(edge.form, shapes[edge.form.source], stage.shape) for edge in stage.edges), default=0)
        across = (width + 2 * margin) * channels
        size = 0 if stage.kind == "pool" else (height + 2 * margin) * across
        arriving = end + margin * across + margin * channels
        first = len(room.edges)
        for edge in stage.edges:
            _edge(room, stage, edge, shapes[edge.form.source], maps[edge.form.source], arriving, across)
        values = {"bias": stage.bias, "threshold": stage.threshold, "decay": stage.decay, "reset": stage.reset}
        tiled = [_tiled(values[name], width, channels) for name in PARAMETERS]
        parameter_at = room.put("parameters", np.concatenate(tiled))
        kind = KINDS.index(stage.kind), int(stage.reset is None), stage.limit, height, width * channels
        rows.append([*kind, maps[number + 1], *states[number], arriving, across, end, size, parameter_at, first, len(room.edges)])
        end += size
    weights, parameters, rest = (np.concatenate(part).astype(np.float32) for part in (room.weights, room.parameters, room.rest))
    footprints = np.concatenate([np.zeros((0, 4), np.int64), *room.footprints])
    return StageTables(np.array(rows), np.array(room.edges), footprints, weights, parameters, rest, end)


def _state(room: _Room, stage: FloatStage) -> tuple[int, int]:
    """Append the state of a stage; returns the places of its membranes and of its sent spikes."""
    if stage.kind in ("pool", "out"):
        return 0, 0
    height, width, channels = stage.shape
    membrane_at = room.put("rest", np.tile(_tiled(stage.start, width, channels), height))
    nothing = np.zeros(height * width * channels if stage.kind == "signed" else 0)
    return membrane_at, room.put("rest", nothing)


def _tiled(values: Floats | None, width: int, channels: int) -> Floats:
    """A number per channel along a row of a map, [W * C]; ones for None."""
    return np.ones(width * channels) if values is None or not len(values) else np.tile(values, width)


def _edge(room: _Room, stage: FloatStage, edge: FloatEdge, source: Shape, source_at: int, arriving: int, across: int) -> None:
    form, pixels, channels, outputs = edge.form, source[0] * source[1], source[2], stage.shape[2]
    own, place, weights, kind = 0, source[1], edge.weight, EDGES.index(form.kind)
    sizes = (*form.kernel, *form.stride, *form.padding)
    if form.kind == "conv":
        weights, footprints = _footprints(edge, source, arriving, across, outputs)
        own, place = len(weights) // channels, room.put("footprints", footprints)
        if form.groups != 1:
            kind, sizes = EDGES.index("groups"), (channels // form.groups, outputs // form.groups, outputs, 0, 0, 0)
    elif form.kind == "gain":
        weights = _tiled(edge.weight, stage.shape[1], channels)
    room.edges.append([kind, form.source, source_at, pixels, channels, room.put("weights", weights.ravel()), own, place, *sizes])


def _taps(at: int, kernel: int, stride: int, padding: int) -> tuple[int, range]:
    """Where an input at a place of an axis arrives: the first output, and the taps that carry it there and to the outputs after it."""
    taps = range((at + padding) % stride, kernel, stride)[::-1]
    return ((at + padding - taps[0]) // stride if taps else 0), taps


def _margin(form: EdgeForm, source: Shape, shape: Shape) -> int:
    """Outputs of a convolution that fall outside its map, on the side with most of them."""
    if form.kind != "conv":
        return 0
    most = 0
    for axis in range(2):
        for at in range(source[axis]):
            first, taps = _taps(at, form.kernel[axis], form.stride[axis], form.padding[axis])
            most = max(most, -first, first + len(taps) - shape[axis])
    return most


def _footprints(edge: FloatEdge, source: Shape, arriving: int, across: int, outputs: int) -> tuple[Floats, NDArray[np.int64]]:
    """Weights by input channel, in the order in which they are added, and the footprint of every pixel.

    An input has one of stride height times stride width sets of taps, by its place.
    """
    form, packed, size = edge.form, [], 0
    axes = [[_taps(at, form.kernel[k], form.stride[k], form.padding[k]) for at in range(source[k])] for k in range(2)]
    sets = [list(dict.fromkeys(taps for _, taps in axis)) for axis in axes]
    begin = np.zeros((len(sets[0]), len(sets[1])), np.int64)
    for i, down in enumerate(sets[0]):
        for j, right in enumerate(sets[1]):
            packed.append(edge.weight[:, list(down)][:, :, list(right)].reshape(source[2], -1))
            begin[i, j] = size
            size += packed[-1].shape[1]
    top, left = (np.array([first for first, _ in axis]) for axis in axes)
    rows, columns = (np.array([len(taps) for _, taps in axis]) for axis in axes)
    own = [[sets[k].index(taps) for _, taps in axes[k]] for k in range(2)]
    found = np.empty((source[0], source[1], 4), np.int64)
    found[..., 0] = arriving + top[:, None] * across + left * outputs
    found[..., 1] = begin[np.ix_(*own)]
    found[..., 2] = np.where(columns > 0, rows[:, None], 0)
    found[..., 3] = columns * outputs
    return np.concatenate(packed, 1).ravel(), found.reshape(-1, 4)
