"""Maps for the `nirtorch` package: from each module of dendrix to a node, and from each node to a module.

Its own maps give Affine nodes random biases, swap the channels of convolutions, and have no Delay and no neurons (2.6).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ..core import State, Stateful
from ..layers import DelayLinear, PerStep, Recurrent, RecurrentDelay, SparseLinear, freeze
from ..neurons import IF, LI, LIF, PLIF, CubaLIF
from ..neurons.nir import NIRNeuron
from .building import layer_of
from .dialects import Gain, Reset
from .export_layers import write_layer
from .exporter import input_shape, nir_graph
from .graph import Assumptions, Graph
from .importer import reading_of
from .layers import BatchedLinear
from .nodes import ENDS, TYPES, Node, Shape, parse_node
from .packages import require
from .writer import Writer

STATEFUL: tuple[type[Stateful], ...] = (LIF, IF, LI, PLIF, CubaLIF, NIRNeuron, DelayLinear, Recurrent, RecurrentDelay, SparseLinear)
"""Modules that return (output, state): the `stateful_modules` of `nirtorch.torch_to_nir`."""
_PLAIN: tuple[type[nn.Module], ...] = (nn.Linear, BatchedLinear)


def torch_map(dt_ms: float) -> dict[type[nn.Module], Callable[[nn.Module], Any]]:
    """The `module_map` of `nirtorch.torch_to_nir`: a node for each module, and a subgraph for delays and recurrence.

    Args:
        dt_ms: time step, in ms.
    Raises:
        MissingExtraError: nir is not installed.
    """
    require("nir")
    return dict.fromkeys((*STATEFUL, *_PLAIN), lambda module: _node(module, dt_ms))


def _node(module: nn.Module, dt_ms: float) -> Any:
    writer = Writer(dt_ms * 1e-3)
    frozen = freeze(module)
    source = writer.add("input", "Input", {"shape": _input(frozen)}, None)
    signal = write_layer(frozen, writer, source, "n")
    graph: Graph = writer.graph([signal])
    whole = nir_graph(graph)
    inner = [name for name, node in graph.nodes.items() if node.type not in ENDS]
    return whole.nodes[inner[0]] if len(inner) == 1 else whole


def _input(module: Any) -> Shape:
    return (*module.weight.shape[:-2], module.weight.shape[-1]) if isinstance(module, BatchedLinear) else input_shape(module)


def node_map(
    dt_ms: float, dialect: str = "nir", reset: Reset | None = None, gain: Gain | None = None
) -> dict[type, Callable[[Any], nn.Module]]:
    """The `node_map` of `nirtorch.nir_to_torch`: a module for each node, which takes one step at a time.

    Args:
        dt_ms, dialect, reset, gain: as in `from_nir`.
    Raises:
        InputError: there is no such dialect.
        MissingExtraError: nir is not installed.
    """
    nir = require("nir")
    # Nodes that dendrix wrote say themselves when they fire and how they are reset.
    reading = replace(reading_of(Graph({}, ()), dt_ms, dialect, reset, gain), own=dialect == "dendrix")

    def module(given: Any) -> nn.Module:
        node = parse_node(type(given).__name__, given.to_dict())
        layer = layer_of(node.type, node, _shape(node), reading, Assumptions(strict=True), recurrent=False)
        return layer.module if isinstance(layer, PerStep) else _OneStep(layer)

    return {getattr(nir, kind): module for kind in TYPES if kind not in ENDS}


def _shape(node: Node) -> Shape:
    """The shape of the input of a node, as far as its layer needs it."""
    if "weight" not in node.params:
        return () if node.type in ("Flatten", "SumPool2d", "AvgPool2d") else node.shape
    weight = node.params["weight"]
    if node.type.startswith("Conv"):
        return (weight.shape[1] * int(node.params["groups"]), *weight.shape[2:])
    return (*weight.shape[:-2], weight.shape[-1])


class _OneStep(nn.Module):
    """A layer over time that is called with one step, [B, ...]."""

    def __init__(self, layer: Stateful):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, state: State = None) -> tuple[Tensor, State]:
        return self.layer.step(x, state)
