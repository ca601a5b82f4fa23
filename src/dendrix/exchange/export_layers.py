"""The NIR nodes of each type of layer."""

import operator
from functools import reduce, singledispatch
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from ..convert.network import SpikingNetwork
from ..errors import InputError
from ..layers import (
    ActiveDendrites,
    BatchNorm,
    DelayLinear,
    DendriticSegments,
    HeldDropout,
    KWinners,
    PerStep,
    Recurrent,
    RecurrentDelay,
    Sequential,
    SparseLinear,
)
from ..models import DendriticNet
from ..models.spikegpt.network import SpikeGPTBody
from ..neurons import Neuron
from .constructions import write_delays, write_feedback
from .delay_line import DelayLine
from .image_frames import ImageFrames
from .layers import BatchedLinear, Scale, Threshold
from .network import GraphNetwork
from .neuron_nodes import write_neuron
from .writer import Signal, Writer, merged, output_shape

_SPIKEGPT = "its normalisation, token shift and exponential mixing over time are no linear maps"
REASONS: dict[type[nn.Module], str] = {
    SpikeGPTBody: _SPIKEGPT,
    DendriticNet: "its units compete, and a context multiplies their inputs",
    ActiveDendrites: "a context multiplies its inputs",
    DendriticSegments: "its segments take the largest of several sums",
    KWinners: "its units compete for the largest inputs",
}
"""Layers that NIR cannot express, and why."""


def expect_expressible(network: nn.Module) -> None:
    """Refuse a network with a layer of `REASONS`.

    Raises:
        InputError: with the name of the layer.
    """
    for place, layer in network.named_modules():
        for kind, reason in REASONS.items():
            if isinstance(layer, kind):
                told = f"{place or 'network'} ({type(layer).__name__}): expected layers of the equations of NIR, but {reason}"
                raise InputError(f"{told}. Export ONNX.")


@singledispatch
def write_layer(layer: nn.Module, writer: Writer, source: Signal, name: str) -> Signal:
    """Append the nodes of a layer, and return its output.

    Raises:
        InputError: NIR cannot express the layer.
    """
    told = f"{name or 'network'} ({type(layer).__name__}): expected a layer that NIR can express, which this is not"
    raise InputError(f"{told}. Replace it, or export ONNX.")


write_layer.register(Neuron)(write_neuron)
write_layer.register(DelayLinear)(write_delays)


@write_layer.register
def _(layer: Sequential, writer: Writer, source: Signal, name: str) -> Signal:
    stages = list(layer.stages)
    position = 0
    while position < len(stages):
        stage, after = stages[position], stages[position + 1] if position + 1 < len(stages) else None
        place = f"{name}_{position}" if name else f"l{position}"
        if isinstance(after, BatchNorm):
            source = _normalised(stage, after, writer, source, place)
            position += 2
        else:
            source = write_layer(stage, writer, source, place)
            position += 1
    return source


def _normalised(stage: nn.Module, norm: BatchNorm, writer: Writer, source: Signal, name: str) -> Signal:
    """A layer with the BatchNorm behind it folded into its weights."""
    scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
    bias = norm.bias.detach() - norm.running_mean * scale
    if isinstance(stage, DelayLinear):
        return write_delays(stage, writer, source, name, scale, bias)
    module = _dense(stage) if isinstance(stage, SparseLinear) else getattr(stage, "module", stage)
    if not isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
        raise InputError(f"{name}: expected BatchNorm behind a linear layer, got it behind {type(stage).__name__}. Put it there.")
    weight = module.weight.detach() * scale.view(-1, *[1] * (module.weight.dim() - 1))
    bias = bias if module.bias is None else bias + module.bias.detach() * scale
    return _weighted(module, writer, source, name, weight, bias)


@write_layer.register
def _(layer: HeldDropout, writer: Writer, source: Signal, name: str) -> Signal:
    return source


@write_layer.register
def _(layer: PerStep, writer: Writer, source: Signal, name: str) -> Signal:
    return write_layer(layer.module, writer, source, name)


@write_layer.register
def _(layer: SparseLinear, writer: Writer, source: Signal, name: str) -> Signal:
    return write_layer(_dense(layer), writer, source, name)


def _dense(layer: SparseLinear) -> nn.Linear:
    linear = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
    linear.weight = nn.Parameter(layer.dense_weight().detach())
    if layer.bias is not None:
        linear.bias = layer.bias
    return linear


@write_layer.register(nn.Linear)
@write_layer.register(nn.Conv1d)
@write_layer.register(nn.Conv2d)
def _(layer: nn.Linear | nn.Conv1d | nn.Conv2d, writer: Writer, source: Signal, name: str) -> Signal:
    return _weighted(layer, writer, source, name, layer.weight.detach(), None if layer.bias is None else layer.bias.detach())


def _weighted(
    layer: nn.Linear | nn.Conv1d | nn.Conv2d, writer: Writer, source: Signal, name: str, weight: Tensor, bias: Tensor | None
) -> Signal:
    """The node of a linear map with these weights."""
    shape = output_shape(layer, source.shape)
    params: dict[str, Any] = {"weight": weight}
    if isinstance(layer, nn.Linear):
        if len(source.shape) != 1:
            raise InputError(
                f"{name} (Linear): expected input [B, T, C], got [B, T, {', '.join(map(str, source.shape))}]. Flatten it first."
            )
        params |= {} if bias is None else {"bias": bias}
        return writer.add(name, "Linear" if bias is None else "Affine", params, source, shape)
    if layer.padding_mode != "zeros":
        raise InputError(f"{name}: expected a convolution padded with zeros, got padding_mode='{layer.padding_mode}'. NIR has no other.")
    sizes = {key: _sizes(getattr(layer, key)) for key in ("stride", "padding", "dilation")}
    params |= {**sizes, "groups": layer.groups, "bias": torch.zeros(len(weight)) if bias is None else bias}
    params["input_shape"] = source.shape[1] if isinstance(layer, nn.Conv1d) else source.shape[1:]
    return writer.add(name, type(layer).__name__, params, source, shape)


def _sizes(value: Any) -> Any:
    """A size along one axis as a number, along two as an array, and a word as it is."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


@write_layer.register
def _(layer: nn.AvgPool2d, writer: Writer, source: Signal, name: str) -> Signal:
    if layer.ceil_mode or (_pair(layer.padding) != (0, 0) and not layer.count_include_pad) or layer.divisor_override not in (None, 1):
        raise InputError(f"{name} (AvgPool2d): expected the mean or the sum of whole windows with their padding, got other options.")
    kind = "AvgPool2d" if layer.divisor_override is None else "SumPool2d"
    sizes = {key: np.array(_pair(getattr(layer, key))) for key in ("kernel_size", "stride", "padding")}
    return writer.add(name, kind, sizes, source, output_shape(layer, source.shape))


def _pair(value: Any) -> tuple[int, int]:
    return tuple(value) if isinstance(value, tuple) else (value, value)


@write_layer.register
def _(layer: nn.AdaptiveAvgPool2d, writer: Writer, source: Signal, name: str) -> Signal:
    shape = output_shape(layer, source.shape)
    if shape == source.shape:
        return source
    if any(before % after for before, after in zip(source.shape[1:], shape[1:], strict=True)):
        raise InputError(
            f"{name} (AdaptiveAvgPool2d): expected windows of one size, got {source.shape[1:]} to {shape[1:]}. Choose a divisor."
        )
    window = np.array(source.shape[1:]) // np.array(shape[1:])
    return writer.add(name, "AvgPool2d", {"kernel_size": window, "stride": window, "padding": np.zeros(2, int)}, source, shape)


@write_layer.register
def _(layer: nn.Flatten, writer: Writer, source: Signal, name: str) -> Signal:
    axes = len(source.shape) + 1
    first, last = layer.start_dim % axes - 1, layer.end_dim % axes - 1
    if first < 0:
        raise InputError(f"{name} (Flatten): expected to keep the batch, got start_dim={layer.start_dim}. Flatten from 1.")
    params = {"start_dim": first, "end_dim": last, "input_type": np.array(source.shape)}
    return writer.add(name, "Flatten", params, source, output_shape(layer, source.shape))


@write_layer.register(nn.Identity)
@write_layer.register(nn.Dropout)
@write_layer.register(nn.Dropout2d)
def _(layer: nn.Module, writer: Writer, source: Signal, name: str) -> Signal:
    return source


@write_layer.register(Scale)
@write_layer.register(Threshold)
def _(layer: Scale | Threshold, writer: Writer, source: Signal, name: str) -> Signal:
    key = type(layer).__name__.lower()
    return writer.add(name, type(layer).__name__, {key: getattr(layer, key).detach().expand(source.shape)}, source)


@write_layer.register
def _(layer: BatchedLinear, writer: Writer, source: Signal, name: str) -> Signal:
    params = {"weight": layer.weight} if layer.bias is None else {"weight": layer.weight, "bias": layer.bias}
    return writer.add(name, "Linear" if layer.bias is None else "Affine", params, source, tuple(layer.weight.shape[:-1]))


@write_layer.register
def _(layer: DelayLine, writer: Writer, source: Signal, name: str) -> Signal:
    return writer.add(name, "Delay", {"delay": np.broadcast_to(layer.lags * writer.dt, source.shape).copy()}, source)


@write_layer.register
def _(layer: Recurrent, writer: Writer, source: Signal, name: str) -> Signal:
    count = len(writer.nodes)
    neuron = write_neuron(layer.inner, writer, source, name)
    writer.link(write_layer(layer.feedback, writer, neuron, f"{name}_feedback"), writer.entry(count, neuron))
    return neuron


@write_layer.register
def _(layer: RecurrentDelay, writer: Writer, source: Signal, name: str) -> Signal:
    count = len(writer.nodes)
    neuron = write_neuron(layer.inner, writer, source, name)
    writer.link(write_feedback(layer, writer, neuron, name), writer.entry(count, neuron))
    return neuron


@write_layer.register
def _(layer: GraphNetwork, writer: Writer, source: Signal, name: str) -> Signal:
    if len(layer.inputs) > 1 or len(layer.outputs) > 1:
        raise InputError(f"{name or 'network'}: expected one input and one output, got several. Export the parts.")
    return write_graph(layer, writer, dict.fromkeys(layer.inputs, source))[0]


def write_graph(layer: GraphNetwork, writer: Writer, signals: dict[str, Signal]) -> list[Signal]:
    """Append the nodes of a graph whose inputs are given, and return its outputs."""
    entries: dict[str, Signal] = {}
    for node in (node for group in layer.run_groups for node in group):
        count = len(writer.nodes)
        total = _total([signals[source] for source in layer.sources(node)])
        signals[node] = write_layer(layer.layer(node), writer, total, node)
        entries[node] = writer.entry(count, total)
    for source, node in layer.feedback:
        writer.link(signals[source], entries[node])
    return [_total([signals[source] for source in layer.sources(output)]) for output in layer.outputs]


def _total(signals: list[Signal]) -> Signal:
    return reduce(merged, signals)


@write_layer.register
def _(layer: ImageFrames, writer: Writer, source: Signal, name: str) -> Signal:
    source = _traced(layer.network.network.prefix, writer, source, name)
    return write_layer(layer.network.network, writer, source, name)


@write_layer.register
def _(layer: SpikingNetwork, writer: Writer, source: Signal, name: str) -> Signal:
    return _traced(layer.body, writer, source, name)


def _traced(module: fx.GraphModule, writer: Writer, source: Signal, name: str) -> Signal:
    """A part of a converted network: its folds of time into the batch and back mean nothing here, where there is no batch."""
    signals: dict[fx.Node, Signal] = {}
    for node in module.graph.nodes:
        if node.op == "output":
            found = node.args[0]
            return signals[found[0] if isinstance(found, tuple) else found]
        if node.op == "placeholder":
            signals |= {} if signals else {node: source}
        elif known := [signals[before] for before in node.all_input_nodes if before in signals]:
            signals[node] = _traced_node(module, node, known, writer)
    raise InputError(f"{name}: expected a network with an output, got none.")


def _traced_node(module: fx.GraphModule, node: fx.Node, given: list[Signal], writer: Writer) -> Signal:
    if node.op == "call_module":
        return write_layer(module.get_submodule(str(node.target)), writer, given[0], str(node.target))
    if node.target in ("flatten", "unflatten") and (node.target == "unflatten" or node.args[1:] == (0, 1)):
        return given[0]
    if node.target in ("flatten", torch.flatten):
        return write_layer(nn.Flatten(*node.args[1:]), writer, given[0], node.name)  # type: ignore[arg-type]
    if node.target in (operator.add, operator.iadd, torch.add) and len(given) == 2:
        return merged(given[0], given[1])
    if node.target in (operator.sub, operator.truediv) and node.args[0] in node.all_input_nodes and len(given) == 1:
        return _normalised_image(module, node, given[0], writer)
    if getattr(node.target, "__name__", "") == "_pick":
        return given[0]
    raise InputError(f"{node.name}: expected layers and sums, got the function {node.target}. Write it as a layer.")


def _normalised_image(module: fx.GraphModule, node: fx.Node, source: Signal, writer: Writer) -> Signal:
    """An image minus a mean or over a deviation, of each channel, as a convolution of single pixels."""
    given: Any = node.args[1]
    value = operator.attrgetter(str(given.target))(module) if isinstance(given, fx.Node) else torch.tensor(float(given))
    channels = source.shape[0]
    if len(source.shape) != 3 or value.numel() not in (1, channels):
        raise InputError(f"{node.name}: expected an image and one value per channel, got {list(value.shape)}. Write it as a layer.")
    value = value.detach().flatten().expand(channels)
    layer = nn.Conv2d(channels, channels, 1)
    is_mean = node.target is operator.sub
    weight = torch.eye(channels) if is_mean else torch.diag(1 / value)
    bias = -value if is_mean else torch.zeros(channels)
    return _weighted(layer, writer, source, node.name, weight.view(channels, channels, 1, 1), bias)
