"""Flat tables of a lowered network for the compiled loop, in float32."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .layers import Floats, Layer, Synapses

KINDS = ("lif", "cuba", "adlif", "li")
"""Kinds of neurons, numbered as here."""

PARAMETERS = ("bias", "decay", "threshold", "reset", "slow_decay", "coupling", "jump")
"""Parameters of a neuron, in the order of the tables."""


class Tables(NamedTuple):
    """A network as arrays, in the order in which the loops take them.

    An edge is a layer's synapses with a line of what is still to come, one row of numbers per step. If the delay of a synapse does not
    depend on the neuron that it feeds, the line holds delayed inputs (`late`), and their products with the weights are summed when they
    arrive; otherwise it holds pending sums, to which every input that is not zero adds its weights at their delays.
    """

    layers: NDArray[np.int64]
    """[L, 7]: kind, neurons, soft reset, places of parameters and membranes, edge of the inputs, edge of the feedback or -1."""
    edges: NDArray[np.int64]
    """[E, 8]: late, inputs, outputs, synapses per pair, taps, places of weights, of `places` and of the line."""
    weights: NDArray[np.float32]
    """[inputs, K, outputs] of each edge."""
    places: NDArray[Any]
    """Where a synapse of an edge writes, counted from the row of the step: [inputs, K] if late, else as `weights`."""
    parameters: NDArray[np.float32]
    """[P, neurons] of each layer, rows as in `PARAMETERS`."""
    rest: NDArray[np.float32]
    """State of a row before its first step, [S]: membranes, currents or adaptations, and lines."""


@dataclass
class Room:
    """Arrays of a network that grow, layer by layer or block by block."""

    edges: list[list[int]] = field(default_factory=list)
    starts: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    places: list[Any] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)
    rest: list[Any] = field(default_factory=list)

    def put(self, name: str, values: NDArray[Any]) -> int:
        """Append values; returns their place."""
        parts = getattr(self, name)
        parts.append(values.ravel())
        return sum(map(len, parts[:-1]))


def tables(lowered: Sequence[Layer]) -> Tables:
    """Lay out the layers of a network."""
    room, layers = Room(), []
    for layer in lowered:
        neurons, size = layer.neurons, len(layer.bias)
        values: dict[str, Floats | None] = {name: getattr(neurons, name) for name in PARAMETERS[1:]} | {"bias": layer.bias}
        nothing = np.zeros(size)
        parameter_at = room.put("parameters", np.stack([nothing if (v := values[name]) is None else v for name in PARAMETERS]))
        membrane_at = room.put("rest", np.concatenate([neurons.start, nothing]))
        edge = _edge(room, layer.synapses, 0)
        own = _edge(room, layer.feedback, 1) if layer.feedback else -1
        soft = neurons.kind != "adlif" and neurons.reset is None
        layers.append([KINDS.index(neurons.kind), size, int(soft), parameter_at, membrane_at, edge, own])
    places = np.concatenate(room.places)
    # Half the memory to read, where the places fit.
    narrow = np.uint16 if places.max() < 2**16 else np.uint32
    weights, parameters, rest = (np.concatenate(part).astype(np.float32) for part in (room.weights, room.parameters, room.rest))
    return Tables(np.array(layers), np.array(room.edges), weights, places.astype(narrow), parameters, rest)


def _edge(room: Room, synapses: Synapses, later: int) -> int:
    """Append an edge whose synapses act `later` steps later than their delays; returns its number."""
    weight, delay = (part.transpose(1, 2, 0) for part in (synapses.weight, synapses.delay + later))
    inputs, count, outputs = weight.shape
    taps = synapses.taps + later
    late = bool((delay == delay[..., :1]).all())
    width = inputs * count if late else outputs
    within = np.arange(width).reshape(inputs, count) if late else np.arange(outputs)
    places = (delay[..., 0] if late else delay) * width + within
    at = [room.put("weights", weight), room.put("places", places), room.put("rest", np.zeros((2 * taps - 1) * width))]
    room.edges.append([int(late), inputs, outputs, count, taps, *at])
    return len(room.edges) - 1


def sliding(layer: Layer, ahead: int) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Synapses of the first layer for sums over `ahead` steps at once.

    Returns:
        weights [out, M] of all synapses of a neuron, filled up with zeros to whole groups of eight; and where each reads in a line of
        inputs by time, [out, M], the `taps` - 1 steps of the past first.
    """
    weight, delay, taps = layer.synapses.weight, layer.synapses.delay, layer.synapses.taps
    start = np.arange(weight.shape[1])[:, None] * (taps - 1 + ahead) + taps - 1 - delay
    flat = [part.reshape(len(part), -1) for part in (weight, start)]
    filled = [np.pad(part, ((0, 0), (0, -part.shape[1] % 8))) for part in flat]
    return filled[0].astype(np.float32), filled[1].astype(np.uint32)
