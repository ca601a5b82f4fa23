"""Flat tables of a lowered network for the loop over events, in float32: neurons in blocks, and the synapses of each input in a row."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .layers import Floats, Layer, Synapses
from .sparse import SparseLayer, SparseSynapses
from .tables import KINDS, PARAMETERS, Room

_WIDTH = 128
"""Neurons per block of a dense layer: enough for the fixed cost of an event, and few enough for several threads."""


_DENSE = 0.2
"""Share of weights that are not zero above which whole rows are added where the delays allow it: vectors take several at once."""


class EventTables(NamedTuple):
    """A network as arrays, in the order in which the loop takes them.

    The neurons of a layer are divided into blocks, which can run in different threads. Each block has a line of pending sums, one row of
    numbers per step to come, to which every event of the layer before adds the weights of its synapses at their delays.
    """

    stages: NDArray[np.int64]
    """[K, 4], a row per layer: its first block, the one behind its last, and blocks and neurons per block of the layer before."""
    blocks: NDArray[np.int64]
    """[N, 8]: kind, neurons, soft reset, places of parameters and membranes, edges of inputs and feedback (or -1), first neuron."""
    edges: NDArray[np.int64]
    """[E, 8]: 1 if inputs have one delay for all neurons, neurons, taps, synapses per pair, places of starts, places, weights and line."""
    starts: NDArray[np.int64]
    """Where the synapses of each input of an edge start, [inputs + 1] of each edge, counted from the edge's first."""
    places: NDArray[Any]
    """Where a synapse writes, counted from the row of the step: delay * neurons + neuron; if inputs have one delay, without neuron."""
    weights: NDArray[np.float32]
    """Weights by input."""
    parameters: NDArray[np.float32]
    """[P, neurons] of each block, rows as in `PARAMETERS`."""
    rest: NDArray[np.float32]
    """State of a row before its first step, [S]: membranes, currents or adaptations, and lines."""


def event_tables(lowered: Sequence[Layer | SparseLayer], width: int = _WIDTH) -> EventTables:
    """Lay out the layers of a network in blocks of at most `width` neurons; layers with feedback and sparse ones are one block each."""
    room = Room()
    stages: list[list[int]] = []
    blocks: list[list[int]] = []
    before = 1, lowered[0].synapses.inputs
    for layer in lowered:
        size, given = len(layer.bias), before[0] * before[1] if not stages else len(lowered[len(stages) - 1].bias)
        if layer.synapses.inputs != given or (layer.feedback and layer.feedback.inputs != size):
            raise InputError(f"layer {len(stages)}: expected synapses of the {given} neurons before and the {size} of its own, got others.")
        whole = layer.feedback is not None or isinstance(layer.synapses, SparseSynapses)
        each = size if whole else min(width, size)
        first = len(blocks)
        blocks += [_block(room, layer, low, min(low + each, size)) for low in range(0, size, each)]
        stages.append([first, len(blocks), *before])
        before = len(blocks) - first, each
    places = np.concatenate(room.places)
    narrow = np.uint16 if places.max(initial=0) < 2**16 else np.uint32  # half the memory to read, where the places fit
    weights, parameters, rest = (np.concatenate(part).astype(np.float32) for part in (room.weights, room.parameters, room.rest))
    table = np.array(stages), np.array(blocks), np.array(room.edges)
    return EventTables(*table, np.concatenate(room.starts), places.astype(narrow), weights, parameters, rest)


def _block(room: Room, layer: Layer | SparseLayer, low: int, high: int) -> list[int]:
    neurons, nothing = layer.neurons, np.zeros(high - low)
    values: dict[str, Floats | None] = {name: getattr(neurons, name) for name in PARAMETERS[1:]} | {"bias": layer.bias}
    parameter_at = room.put("parameters", np.stack([nothing if (v := values[name]) is None else v[low:high] for name in PARAMETERS]))
    membrane_at = room.put("rest", np.concatenate([neurons.start[low:high], nothing]))
    edge = _edge(room, layer.synapses, 0, low, high)
    own = _edge(room, layer.feedback, 1, low, high) if layer.feedback else -1
    soft = neurons.kind != "adlif" and neurons.reset is None
    return [KINDS.index(neurons.kind), high - low, int(soft), parameter_at, membrane_at, edge, own, low]


def _edge(room: Room, synapses: Synapses | SparseSynapses, later: int, low: int, high: int) -> int:
    """Append an edge to the neurons low to high whose synapses act `later` steps later than their delays; returns its number."""
    size, taps = high - low, synapses.taps + later
    weight: NDArray[Any]
    if isinstance(synapses, SparseSynapses):
        _expect_within(synapses, size)
        count, one, starts, weight = 1, False, synapses.starts, synapses.weight
        places = (synapses.delay.astype(np.int64) + later) * size + synapses.target
    else:
        weight, delay = (part[low:high].transpose(1, 2, 0) for part in (synapses.weight, synapses.delay + later))
        count, used = weight.shape[1], weight.reshape(len(weight), -1) != 0
        one = bool((delay == delay[..., :1]).all() and used.mean() > _DENSE)
        if one:
            starts, places = np.zeros(1, np.int64), delay[..., 0] * size
        else:
            starts, places = np.concatenate([[0], used.sum(1).cumsum()]), (delay * size + np.arange(size)).reshape(used.shape)[used]
            weight = weight.reshape(used.shape)[used]
    at = [room.put(*part) for part in (("starts", starts), ("places", places), ("weights", weight))]
    room.edges.append([int(one), size, taps, count, *at, room.put("rest", np.zeros((2 * taps - 1) * size))])
    return len(room.edges) - 1


def _expect_within(synapses: SparseSynapses, size: int) -> None:
    """The loop checks no index."""
    starts, count = synapses.starts, len(synapses.weight)
    if starts[0] != 0 or starts[-1] != count or (np.diff(starts) < 0).any():
        raise InputError(f"starts: expected places from 0 up to the number of synapses, {count}, in order, got others.")
    for name, part, limit in (("target", synapses.target, size), ("delay", synapses.delay, synapses.taps)):
        if len(part) != count or (count and (part.min() < 0 or part.max() >= limit)):
            raise InputError(f"{name}: expected {count} whole numbers of 0 to {limit - 1}, got others.")
