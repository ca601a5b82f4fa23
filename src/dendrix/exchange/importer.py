"""From a NIR graph to a network of dendrix."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..checks import expect_in
from ..core import Stateful
from ..errors import InputError
from ..layers import Recurrent, RecurrentDelay, Sequential
from ..neurons.nir import NIRNeuron
from .building import LARGEST, Reading, layer_of
from .delay_line import DelayLine
from .delay_patterns import with_delay_layers
from .dialects import Dialect, Gain, Reset, find_dialect
from .graph import Assumptions, Edge, Graph, read_graph, without_passages
from .metadata import facts_of, restored
from .network import GraphNetwork, components
from .nodes import ELEMENTWISE, NEURONS, Node, Shape


def from_nir(
    source: Any,
    dt_ms: float | None = None,
    dialect: str | None = None,
    reset: Reset | None = None,
    *,
    gain: Gain | None = None,
    strict: bool = True,
) -> Stateful:
    """Build a network from a NIR graph.

    It is a `Sequential` where the graph is a chain, and otherwise a `GraphNetwork`; delays and weights that make a delay layer become a
    `DelayLinear` with whole steps. Weights, biases and scales are parameters; the
    coefficients of neurons are buffers. A graph that dendrix exported gives the network that was exported, in evaluation mode, if it
    comes with it and no argument asks for another reading. Times in the graph are seconds.

    Args:
        source: path of a `.nir` file, a `nir.NIRGraph` or a `Graph`.
        dt_ms: time step, in ms; by default the one in the metadata of the graph.
        dialect: whose arithmetic to use, see `DIALECTS`; by default "nir", or that of dendrix for graphs that it exported.
        reset: what a spike does; by default as the dialect has it. NIR itself does not say.
        gain: how input moves a membrane, instead of the dialect's: "nir" as the equations have it, "dt/tau" without r, "unit" by its value.
        strict: raise where the graph is incomplete or contradicts itself; otherwise assume what is likely, and warn.
    Raises:
        OSError: the file is missing or not readable.
        InputError: it is no NIR, its shapes do not meet, a cycle has no neuron, or the dialect cannot express it; the error names the node.
        MissingExtraError: h5py is not installed.
    """
    graph = read_graph(source, strict)
    reading = reading_of(graph, dt_ms, dialect, reset, gain)
    if (dialect, reset, gain) == (None, None, None) and reading.dt_ms == facts_of(graph).get("dt_ms"):
        network = restored(graph)
        if isinstance(network, Stateful):
            return network
    built = with_delay_layers(build_graph(graph, reading, strict), reading.dt_ms)
    return chain(built) or built


def reading_of(
    graph: Graph, dt_ms: float | None = None, dialect: str | None = None, reset: Reset | None = None, gain: Gain | None = None
) -> Reading:
    """Return how to read a graph: the arguments, and its metadata by default.

    Raises:
        InputError: the time step is missing, or the dialect is unknown.
    """
    facts = facts_of(graph)
    step = facts.get("dt_ms") if dt_ms is None else dt_ms
    if step is None:
        raise InputError("dt_ms: expected the time step in ms, which NIR does not say, got none. Give dt_ms (--dt-ms).")
    own = bool(facts) and dialect is None
    chosen = find_dialect(dialect or ("dendrix" if own else "nir"))
    if own and facts.get("time_constants") == "exponential":
        chosen = replace(chosen, scheme="exponential")
    return Reading(expect_in(step, "(0, inf)", "dt_ms"), chosen, reset, gain, own, bool(facts.get("feedback_step")))


def build_graph(graph: Graph, reading: Reading, strict: bool = True) -> GraphNetwork:
    """The network of a graph, with a layer for each node by its name.

    Args:
        graph: as `read_graph` gives it.
        reading: time step, dialect, reset.
        strict: as in `from_nir`.
    Raises:
        InputError: as in `from_nir`.
    """
    assumptions = Assumptions(strict)
    layers, shapes = _layers(graph, reading, assumptions)
    graph = without_passages(graph)
    order, feedback = run_order(graph)
    layers = {name: layers[name] for name in order if name in layers}
    edges = [edge for edge in graph.edges if edge not in feedback]
    layers, edges, feedback = _recurrent(layers, edges, feedback, reading.dt_ms)
    layers, edges = _late(layers, edges, feedback, reading.dialect)
    ends = [{name: shapes[name] for name in graph.of_type(kind)} for kind in ("Input", "Output")]
    return GraphNetwork(layers, edges, ends[0], ends[1], feedback)


def run_order(graph: Graph) -> tuple[list[str], list[Edge]]:
    """All nodes in the order in which they run, and the edges that take a step.

    In a cycle these are the edges into the neuron that input reaches first.

    Raises:
        InputError: a cycle has no neuron.
    """
    edges, feedback = list(graph.edges), list[Edge]()
    while True:
        parts = components(list(graph.nodes), edges)
        cycles = [part for part in parts if len(part) > 1 or (part[0], part[0]) in edges]
        if not cycles:
            return [name for part in parts for name in part], feedback
        for cycle in cycles:
            entry = _entry(graph, cycle)
            feedback += [(source, target) for source, target in edges if target == entry and source in cycle]
        edges = [edge for edge in edges if edge not in feedback]


def _entry(graph: Graph, cycle: list[str]) -> str:
    neurons = [name for name in cycle if graph.nodes[name].type in NEURONS]
    if not neurons:
        told = ", ".join(f"'{name}'" for name in cycle)
        raise InputError(f"cycle through {told}: expected a neuron in it, which takes its feedback a step later, got none. Add a neuron.")
    reached = [name for name in neurons if any(source not in cycle for source in graph.sources(name))]
    return (reached or neurons)[0]


def _layers(graph: Graph, reading: Reading, assumptions: Assumptions) -> tuple[dict[str, nn.Module], dict[str, Shape]]:
    """A layer for each node, and the shapes that nodes put out."""
    order, feedback = run_order(graph)
    layers: dict[str, nn.Module] = {}
    shapes: dict[str, Shape] = {}
    for name in order:
        node = graph.nodes[name]
        came = {source: shapes[source] for source in graph.sources(name) if (source, name) not in feedback}
        if node.type == "Input" and not came:
            shapes[name] = _whole(name, node)
            continue
        shape = _input_shape(name, node, came)
        if node.type in ("Output", "Entry", "Exit"):
            shapes[name] = _end(name, node, shape, assumptions)
            continue
        if node.type in ELEMENTWISE:
            _elementwise(name, node, shape)
        layers[name] = layer_of(name, node, shape, reading, assumptions, _in_cycle(graph, name))
        shapes[name] = shape if node.type in ELEMENTWISE else _output_shape(name, node, layers[name], shape)
    for source, name in feedback:
        _input_shape(name, graph.nodes[name], {name: shapes[name], source: shapes[source]})
    return layers, shapes


def _whole(name: str, node: Node) -> Shape:
    if not node.shape or min(node.shape) < 1 or math.prod(node.shape) > LARGEST:
        raise InputError(
            f"node '{name}' ({node.type}): expected a shape of at most {LARGEST:,} values, got {list(node.shape)}. Correct it."
        )
    return node.shape


def _input_shape(name: str, node: Node, came: Mapping[str, Shape]) -> Shape:
    """The one shape that all edges into a node bring."""
    if not came:
        raise InputError(f"node '{name}' ({node.type}): expected an edge into it, got none. Connect it, or remove it.")
    if len(set(came.values())) > 1:
        told = ", ".join(f"{list(shape)} from '{source}'" for source, shape in came.items())
        raise InputError(f"node '{name}' ({node.type}): expected inputs of one shape, got {told}. Correct the graph.")
    return next(iter(came.values()))


def _end(name: str, node: Node, shape: Shape, assumptions: Assumptions) -> Shape:
    if node.shape != shape:
        problem = f"node '{name}' ({node.type}): expected input of shape {list(node.shape)}, as it declares, got {list(shape)}."
        assumptions.take(problem, f"its shape is {list(shape)}")
    return shape


def _elementwise(name: str, node: Node, shape: Shape) -> None:
    if node.shape not in ((), shape):
        raise InputError(
            f"node '{name}' ({node.type}): expected input of shape {list(node.shape)}, as its parameters have, got {list(shape)}."
        )


def _in_cycle(graph: Graph, name: str) -> bool:
    """Whether a node is in a cycle."""
    seen, waiting = set[str](), [name]
    while waiting:
        for target in graph.targets(waiting.pop()):
            if target == name:
                return True
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return False


def _output_shape(name: str, node: Node, layer: nn.Module, shape: Shape) -> Shape:
    try:
        with torch.no_grad():
            y, _ = layer(torch.zeros(1, 1, *shape), None)
    except (RuntimeError, ValueError, IndexError) as error:
        raise InputError(f"node '{name}' ({node.type}): expected input that fits its parameters, got {list(shape)} ({error}).") from error
    return tuple(y.shape[2:])


def _recurrent(
    layers: dict[str, nn.Module], edges: list[Edge], feedback: list[Edge], dt_ms: float
) -> tuple[dict[str, nn.Module], list[Edge], list[Edge]]:
    """The same network with neurons and their linear feedback, delayed or not, as one layer."""
    for back, name in list(feedback):
        way = _way_back(back, name, layers, [*edges, *feedback])
        if way is None or sum(target == name for _, target in feedback) > 1:
            continue
        layer = _recurrent_layer(layers[name], [layers[node] for node in way], dt_ms)
        if layer is not None:
            layers = {key: layer if key == name else old for key, old in layers.items() if key not in way}
            edges, feedback = ([edge for edge in found if not set(way) & set(edge)] for found in (edges, feedback))
    return layers, edges, feedback


def _way_back(back: str, name: str, layers: dict[str, nn.Module], edges: list[Edge]) -> tuple[str, ...] | None:
    """The nodes from a neuron back to itself, if they are one or two in a row and used for nothing else."""
    way: tuple[str, ...] = (back,)
    for _ in range(2):
        sources = [source for source, target in edges if target == way[0]]
        if len(sources) != 1 or sum(source == way[0] for source, _ in edges) != 1:
            return None
        if sources[0] == name:
            return way
        if sources[0] not in layers:
            return None
        way = (sources[0], *way)
    return None


def _recurrent_layer(neuron: nn.Module, way: list[nn.Module], dt_ms: float) -> Recurrent | RecurrentDelay | None:
    linear = getattr(way[-1], "module", None)
    if not isinstance(neuron, NIRNeuron) or not isinstance(linear, nn.Linear):
        return None
    if len(way) == 1:
        return Recurrent(neuron, linear)
    line = way[0]
    if not isinstance(line, DelayLine) or linear.bias is not None:
        return None
    layer = RecurrentDelay(neuron, line.longest * dt_ms, dt_ms, train_delays=False)
    with torch.no_grad():
        layer.weight.copy_(linear.weight)
        layer.delay.copy_(torch.as_tensor(line.lags).expand(neuron.size))
    return layer


def _late(
    layers: dict[str, nn.Module], edges: list[Edge], feedback: list[Edge], dialect: Dialect
) -> tuple[dict[str, nn.Module], list[Edge]]:
    """The network with the outputs of spiking neurons delayed, but within a cycle: feedback takes a step already."""
    if not dialect.lag:
        return layers, edges
    inner = [edge for edge in [*edges, *feedback] if set(edge) <= layers.keys()]
    cycle = {name: part for part in components(list(layers), inner) for name in part}
    spiking = [name for name, layer in layers.items() if _fires(layer)]
    found: dict[str, nn.Module] = {}
    for name, layer in layers.items():
        found[name] = layer
        found |= {f"{name}+": DelayLine(dialect.lag)} if name in spiking else {}
    moved = [(f"{source}+" if source in spiking and target not in cycle[source] else source, target) for source, target in edges]
    return found, moved + [(name, f"{name}+") for name in spiking]


def _fires(layer: nn.Module) -> bool:
    neuron = layer.inner if isinstance(layer, Recurrent | RecurrentDelay) else layer
    return isinstance(neuron, NIRNeuron) and neuron.params()["v_threshold"] is not None


def chain(network: GraphNetwork) -> Sequential | None:
    """The network as a `Sequential`, if each layer passes its output to the next one only."""
    if network.feedback or len(network.inputs) != 1 or len(network.outputs) != 1:
        return None
    ordered = [*network.inputs, *network.names, *network.outputs]
    if set(network.edges) != set(itertools.pairwise(ordered)):
        return None
    return Sequential(*network.layers)
