"""From a NIR graph to a network of dendrix."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..checks import expect_in
from ..core import Stateful
from ..errors import InputError
from ..layers import PerStep, Recurrent, Sequential
from .building import LARGEST, Reading, layer_of
from .delay_line import DelayLine
from .dialects import Dialect, Gain, Reset, find_dialect
from .graph import Assumptions, Edge, Graph, read_graph, without_passages
from .network import GraphNetwork, components
from .neuron import NIRNeuron
from .nodes import ELEMENTWISE, NEURONS, Node, Shape


def from_nir(
    source: Any,
    dt_ms: float | None = None,
    dialect: str = "nir",
    reset: Reset | None = None,
    *,
    gain: Gain | None = None,
    strict: bool = True,
) -> Stateful:
    """Build a network from a NIR graph: a `Sequential` where the graph is a chain, and otherwise a `GraphNetwork`.

    Weights, biases and scales are parameters; the coefficients of neurons are buffers. Times in the graph are seconds.

    Args:
        source: path of a `.nir` file, a `nir.NIRGraph` or a `Graph`.
        dt_ms: time step, in ms; by default the one in the metadata of the graph.
        dialect: whose arithmetic to use, see `DIALECTS`.
        reset: what a spike does; by default as the dialect has it. NIR itself does not say.
        gain: how input moves a membrane, instead of the dialect's: "nir" as the equations have it, "dt/tau" without r, "unit" by its value.
        strict: raise where the graph is incomplete or contradicts itself; otherwise assume what is likely, and warn.
    Raises:
        OSError: there is no such file, or it may not be read.
        InputError: it is no NIR, its shapes do not meet, a cycle has no neuron, or the dialect cannot express it; the error names the node.
        MissingExtraError: h5py is not installed.
    """
    network = build_network(read_graph(source, strict), dt_ms, dialect, reset, gain=gain, strict=strict)
    return chain(network) or network


def build_network(
    graph: Graph,
    dt_ms: float | None = None,
    dialect: str = "nir",
    reset: Reset | None = None,
    *,
    gain: Gain | None = None,
    strict: bool = True,
) -> GraphNetwork:
    """As `from_nir`, always as a `GraphNetwork` whose layers have the names of the nodes."""
    assumptions = Assumptions(strict)
    reading = Reading(expect_in(_dt(dt_ms), "(0, inf)", "dt_ms"), find_dialect(dialect), reset, gain)
    order, cut = run_order(graph)
    layers, shapes = _layers(graph, order, cut, reading, assumptions)
    graph = without_passages(graph)
    layers = {name: layers[name] for name in order if name in graph.nodes and name in layers}
    layers, edges, cut = _recurrent(layers, list(graph.edges), cut)
    layers, edges = _late(layers, edges, reading.dialect)
    inner = [edge for edge in edges if set(edge) <= layers.keys()]
    layers = {name: layers[name] for part in components(list(layers), inner) for name in part}
    ends = [{name: shapes[name] for name in graph.of_type(kind)} for kind in ("Input", "Output")]
    return GraphNetwork(layers, edges, ends[0], ends[1], {name: shapes[name] for name in layers if name in cut})


def _dt(dt_ms: float | None) -> float:
    if dt_ms is None:
        raise InputError("dt_ms: expected the time step in ms, which NIR does not say, got none. Give dt_ms (--dt-ms).")
    return dt_ms


def run_order(graph: Graph) -> tuple[list[str], set[str]]:
    """All nodes in the order in which they run, and the neurons after which cycles are cut.

    A cycle is cut at the neuron that input reaches first: what follows gets its output one step later.

    Raises:
        InputError: a cycle has no neuron.
    """
    cut: set[str] = set()
    while True:
        edges = [(source, target) for source, target in graph.edges if source not in cut]
        cycles = [part for part in components(list(graph.nodes), edges) if len(part) > 1 or (part[0], part[0]) in edges]
        if not cycles:
            break
        cut |= {_entry(graph, part) for part in cycles}
    return [name for part in components(list(graph.nodes), edges) for name in part], cut


def _entry(graph: Graph, cycle: list[str]) -> str:
    neurons = [name for name in cycle if graph.nodes[name].type in NEURONS]
    if not neurons:
        told = ", ".join(f"'{name}'" for name in cycle)
        raise InputError(f"cycle through {told}: expected a neuron in it, which holds its output for a step, got none. Add a neuron.")
    reached = [name for name in neurons if any(source not in cycle for source in graph.sources(name))]
    return (reached or neurons)[0]


def _layers(
    graph: Graph, order: list[str], cut: set[str], reading: Reading, assumptions: Assumptions
) -> tuple[dict[str, nn.Module], dict[str, Shape]]:
    """A layer for each node, and the shapes that nodes put out."""
    layers: dict[str, nn.Module] = {}
    shapes: dict[str, Shape] = {name: graph.nodes[name].shape for name in cut}
    for name in order:
        node = graph.nodes[name]
        came = {source: shapes[source] for source in graph.sources(name) if source in shapes}
        if node.type == "Input" and not came:
            shapes[name] = _whole(name, node)
            continue
        shape = _input_shape(name, node, came)
        if node.type in ("Output", "Entry", "Exit"):
            shapes[name] = _end(name, node, shape, assumptions)
        elif name in cut or node.type in ELEMENTWISE:
            shapes[name] = _elementwise(name, node, shape)
            layers[name] = layer_of(name, node, shapes[name], reading, assumptions, _in_cycle(graph, name))
        else:
            layers[name] = layer_of(name, node, shape, reading, assumptions, _in_cycle(graph, name))
            shapes[name] = _output_shape(name, node, layers[name], shape)
    for name in cut:  # what comes back must fit too
        _input_shape(name, graph.nodes[name], {source: shapes[source] for source in graph.sources(name)} | {name: shapes[name]})
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


def _elementwise(name: str, node: Node, shape: Shape) -> Shape:
    if node.shape not in ((), shape):
        raise InputError(
            f"node '{name}' ({node.type}): expected input of shape {list(node.shape)}, as its parameters have, got {list(shape)}."
        )
    return shape


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


def _recurrent(layers: dict[str, nn.Module], edges: list[Edge], cut: set[str]) -> tuple[dict[str, nn.Module], list[Edge], set[str]]:
    """The same network with neurons and their linear feedback as one `Recurrent` layer."""
    for name in sorted(cut):
        back = [target for source, target in edges if source == name and (target, name) in edges]
        if len(back) != 1 or [edge for edge in edges if back[0] in edge] != [
            edge for edge in edges if edge in ((name, back[0]), (back[0], name))
        ]:
            continue
        neuron, feedback = layers[name], layers[back[0]]
        if (
            isinstance(neuron, NIRNeuron)
            and isinstance(feedback, PerStep)
            and isinstance(feedback.module, nn.Linear)
            and (name, name) not in edges
        ):
            layers = {key: Recurrent(neuron, feedback.module) if key == name else layer for key, layer in layers.items() if key != back[0]}
            edges = [edge for edge in edges if back[0] not in edge]
            cut = cut - {name}
    return layers, edges, cut


def _late(layers: dict[str, nn.Module], edges: list[Edge], dialect: Dialect) -> tuple[dict[str, nn.Module], list[Edge]]:
    """The network with the outputs of spiking neurons delayed, but for what feeds back: that takes a step already."""
    if not dialect.lag:
        return layers, edges
    names, spiking = list(layers), [name for name, layer in layers.items() if _fires(layer)]
    cycle = {name: set(part) for part in components(names, [e for e in edges if e[0] in layers and e[1] in layers]) for name in part}
    found: dict[str, nn.Module] = {}
    for name in names:
        found[name] = layers[name]
        if name in spiking:
            found[f"{name}+"] = DelayLine(dialect.lag)
    moved = [(f"{source}+" if source in spiking and target not in cycle[source] else source, target) for source, target in edges]
    return found, moved + [(name, f"{name}+") for name in spiking]


def _fires(layer: nn.Module) -> bool:
    neuron = layer.inner if isinstance(layer, Recurrent) else layer
    return isinstance(neuron, NIRNeuron) and neuron.params()["v_threshold"] is not None


def chain(network: GraphNetwork) -> Sequential | None:
    """The network as a `Sequential`, if each layer passes its output to the next one only."""
    if network.cut or len(network.inputs) != 1 or len(network.outputs) != 1:
        return None
    ordered = [*network.inputs, *network.names, *network.outputs]
    if set(network.edges) != set(itertools.pairwise(ordered)):
        return None
    return Sequential(*network.layers)
