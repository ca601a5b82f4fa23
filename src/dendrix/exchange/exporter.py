"""From a network of dendrix to a NIR graph."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from ..checks import expect_in, expect_one_of
from ..convert import SpikingNetwork
from ..core import Stateful
from ..core.files import expect_writable, write_atomic
from ..errors import InputError
from ..layers import Recurrent, Sequential, delay_layers, freeze
from ..layers.delay.base import Delayed
from ..layers.delay.linear import DelayLinear
from ..models import DendriticNet
from ..neurons import Decay, Neuron
from ..neurons.nir import NIRNeuron
from .constructions import CONSTRUCTIONS, Construction
from .export_layers import expect_expressible, write_graph, write_layer
from .graph import Graph
from .image_frames import ImageFrames, over_time
from .importer import build_graph, reading_of
from .metadata import with_metadata
from .network import GraphNetwork
from .nodes import Shape
from .packages import require
from .writer import Writer

_PROBES = 3
_STEPS = 32


def to_nir(
    network: Stateful,
    path: str | Path | None = None,
    *,
    dt_ms: float | None = None,
    shape: Sequence[int] | None = None,
    construction: Construction = "lag-rows",
    time_constants: Literal["euler", "exponential"] = "euler",
    round_delays: bool = False,
    feedback_step: bool = False,
    compact: bool = True,
    facts: Mapping[str, Any] | None = None,
) -> Graph:
    """Write a network as NIR, after a test that the graph gives the same outputs.

    Args:
        network: of layers that NIR can express; BatchNorm is folded into the layer before it, dropout is left out. A `Converted` becomes a
            graph that takes the image at every step.
        path: path of the `.nir` file, written whole or not at all; None: only the graph is returned.
        dt_ms: time step, in ms; by default that of the layers.
        shape: of one step of the input, without batch; by default as the first layer takes it.
        construction: of synaptic delays: "lag-rows" (few nodes), "branches" (one for each lag) or "synapses" (one signal for each).
        time_constants: how readers are to decay: "euler", 1 - dt / tau, as most do, or "exponential", exp(-dt / tau).
        round_delays: agree that delays which are still learned are written as whole steps.
        feedback_step: write the step that feedback takes as part of its delay, for simulators in continuous time.
        compact: add the network to the metadata, so that `from_nir` restores it without loss.
        facts: for the metadata: encoder, classes, licence, accuracy; JSON values.
    Returns:
        the graph.
    Raises:
        InputError: NIR cannot express a layer, delays are not rounded, or the graph gives other outputs; nothing is written.
        OSError: the file cannot be written.
        MissingExtraError: nir is not installed.
    """
    expect_one_of(construction, CONSTRUCTIONS, "construction")
    expect_one_of(time_constants, ("euler", "exponential"), "time_constants")
    if path is not None:
        expect_writable(Path(path))
    network = over_time(network)
    expect_expressible(network)
    dt = _dt_ms(network, dt_ms)
    if not round_delays and any(not layer.rounded for layer in delay_layers(network)):
        raise InputError("network: expected delays in whole steps, got learned ones. Agree to rounding with round_delays=True.")
    frozen: Any = freeze(network)
    exponential = time_constants == "exponential"
    graph = _graph(frozen, Writer(dt * 1e-3, exponential, construction, feedback_step), shape)
    told = {"dt_ms": dt, "time_constants": time_constants, "feedback_step": feedback_step, **(facts or {})}
    graph = with_metadata(graph, network if compact else None, told)
    _expect_equal(frozen, graph)
    if path is not None:
        write_nir(graph, path)
    return graph


def write_nir(graph: Graph, path: str | Path) -> None:
    """Write a graph as a `.nir` file with the `nir` package, whole or not at all.

    Raises:
        OSError: the file cannot be written.
        MissingExtraError: nir is not installed.
    """
    file = io.BytesIO()
    require("nir").write(file, nir_graph(graph))
    write_atomic(Path(path), file.getvalue())


def nir_graph(graph: Graph) -> Any:
    """The graph as a `nir.NIRGraph`.

    Raises:
        MissingExtraError: nir is not installed.
    """
    nir = require("nir")
    nodes = {
        name: nir.dict2NIRNode({"type": node.type, "metadata": node.metadata, **_ends(node.params)}) for name, node in graph.nodes.items()
    }
    return nir.NIRGraph(nodes, [tuple(edge) for edge in graph.edges], dict(graph.metadata), type_check=False)


def _ends(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with whole numbers and sizes as the package takes them."""
    whole = ("groups", "start_dim", "end_dim")
    found: dict[str, Any] = {key: int(value) if key in whole else value for key, value in params.items()}
    for key in ("input_shape", "stride", "padding", "dilation"):
        if isinstance(value := found.get(key), np.ndarray):
            found[key] = int(value) if value.ndim == 0 else tuple(int(size) for size in value)
    return found


def _dt_ms(network: nn.Module, given: float | None) -> float:
    """The one time step of all layers."""
    if given is not None:
        return expect_in(given, "(0, inf)", "dt_ms")
    timed = [module for module in network.modules() if isinstance(module, Decay | Delayed | NIRNeuron)]
    found = {float(module.dt_ms) for module in timed if module.dt_ms is not None}
    if len(found) != 1:
        told = "none" if not found else " and ".join(f"{value:g}" for value in sorted(found))
        raise InputError(f"dt_ms: expected one time step for all layers, got {told}. Give dt_ms.")
    return found.pop()


def _graph(network: nn.Module, writer: Writer, shape: Sequence[int] | None) -> Graph:
    if isinstance(network, GraphNetwork):
        signals = {name: writer.add(name, "Input", {"shape": size}, None) for name, size in network.inputs.items()}
        return writer.graph(write_graph(network, writer, signals))
    source = writer.add("input", "Input", {"shape": tuple(shape) if shape is not None else input_shape(network)}, None)
    return writer.graph([write_layer(network, writer, source, "")])


def input_shape(network: nn.Module) -> Shape:
    """The shape of one step that a network takes.

    Raises:
        InputError: its first layer does not say.
    """
    first: Any = network
    while not isinstance(first, Neuron | DelayLinear | nn.Linear):
        if isinstance(first, ImageFrames):
            return tuple(first.network.network.image)
        if isinstance(first, SpikingNetwork):
            return tuple(first.current)
        if isinstance(first, DendriticNet):
            return (first.config.inputs,)
        if isinstance(first, Sequential) and len(first.stages):
            first = first.stages[0]
        elif isinstance(first, Recurrent) or hasattr(first, "inner"):
            first = first.inner
        elif hasattr(first, "module"):
            first = first.module
        elif hasattr(first, "in_features"):
            break
        else:
            raise InputError(
                f"shape: expected that of one step, which {type(first).__name__} does not say, got none. Give shape=(C, H, W)."
            )
    return (int(first.size if isinstance(first, Neuron) else first.in_features),)


def _expect_equal(network: Any, graph: Graph) -> None:
    """Compare the graph with the network on random spikes, in float64; a single tie of a membrane with its threshold is no difference."""
    shapes = [graph.nodes[name].shape for name in graph.of_type("Input")]
    plain = build_graph(graph, reading_of(graph)).double()
    double = network.double()
    size = [torch.Size(shape).numel() for shape in shapes]
    for seed in range(_PROBES):
        draw = torch.Generator().manual_seed(seed)
        x = torch.rand(2, _STEPS, sum(size), generator=draw, dtype=torch.float64)
        x = torch.where(x < 0.3, torch.randn(x.shape, generator=draw, dtype=torch.float64).abs() + 0.5, 0.0)
        x = x.unflatten(2, shapes[0]) if len(shapes) == 1 else x  # type: ignore[no-untyped-call]
        with torch.no_grad():
            wanted, found = double(x)[0], plain(x)[0]
        if torch.allclose(wanted, found, rtol=1e-5, atol=1e-6):
            return
    different = ~torch.isclose(wanted, found, rtol=1e-5, atol=1e-6)
    step = int(different.flatten(2).any(2).any(0).nonzero()[0])
    raise InputError(
        f"network: expected a graph with the same outputs, but {int(different.sum()):,} differ, the first at step {step}. Report it."
    )
