"""Lowering of convolutional networks to stages in float64, with scales of activations folded into the weights that read them."""

import operator
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, fx, nn

from ..errors import InputError
from ..layers import BatchNorm, HeldDropout, PerStep, Sequential
from ..neurons import IF, LI, LIF, PLIF, Neuron, SignedIF
from .plain import expect_plain
from .stage_forms import EdgeForm, FloatEdge, FloatStage, Lowered, Map, Pair, Sum
from .stage_parts import (
    AFFINE,
    adaptive_kernel,
    affine,
    conv_form,
    dilated,
    expect_channels,
    expect_size,
    normalised,
    per_channel,
    pool_sizes,
    times,
)


def lower_images(prefix: fx.GraphModule, body: fx.GraphModule, image: tuple[int, ...]) -> Lowered:
    """Lower a converted network for images of bytes.

    Args:
        prefix, body, image: of a `dendrix.convert.SpikingNetwork`; image is C, H, W.
    Raises:
        InputError: a part has no integer form, or hooks; it is named.
    """
    for part in (prefix, body):
        expect_plain(part)
    channels, *size = image
    reading = _Lowering()
    pixels = Map(0, (size[0], size[1], channels), np.full(channels, 1 / 255), np.zeros(channels))
    current = reading.walk(prefix, pixels)
    outputs = reading.walk(body, current)
    if reading.centre is None or not isinstance(current, Sum):
        raise InputError("network: expected a convolution or linear layer before the first neurons, got none. It has no integer form.")
    if other := next((stage for stage in reading.stages if stage.kind not in ("signed", "if", "pool")), None):
        raise InputError(f"{other.path}: expected SignedIF, or IF with a soft reset, got neurons without an integer form here.")
    if other := next((stage for stage in reading.stages if any(edge.form.kind == "max" for edge in stage.edges)), None):
        raise InputError(f"{other.path}: expected average pools, got a maximum, which has no integer form.")
    return Lowered(pixels.shape, reading.centre, reading.stages_to(outputs))


def lower_steps(network: nn.Module, step: tuple[int, ...]) -> tuple[FloatStage, ...]:
    """Lower one step of a network; map 0 has the inputs of the step.

    Args:
        network: convolutions, linear layers, BatchNorm, average pools and neurons in sequence, or the body of a converted network.
        step: shape of the input of a step, C, H, W or C.
    Raises:
        InputError: a part has no such form; it is named.
    """
    channels, height, width = (*step, 1, 1)[:3]
    reading, shape = _Lowering(), (height, width, channels)
    if isinstance(network, fx.GraphModule):
        own = FloatEdge(EdgeForm(0, "gain"), np.ones(channels))
        return reading.stages_to(reading.walk(network, Sum(shape, (own,), np.zeros(channels))))
    inputs = Map(0, shape, np.ones(channels), np.zeros(channels), flat=len(step) == 1)
    return reading.stages_to(reading.sequence("", network, inputs, 2))


class _Lowering:
    def __init__(self) -> None:
        self.stages: list[FloatStage] = []
        self.centre: tuple[int, ...] | None = None

    def stages_to(self, outputs: Any) -> tuple[FloatStage, ...]:
        """All stages, up to the outputs of the network."""
        found = self._arriving(outputs) if isinstance(outputs, Map) else outputs
        if found.shape[:2] != (1, 1):
            raise InputError(f"network: expected one output per class, got a map {list(found.shape[:2])}. Pool before the read-out.")
        empty = np.zeros(found.shape[2])
        return (*self.stages, FloatStage("outputs", "out", found.shape, found.edges, found.bias, empty, empty))

    def sequence(self, path: str, module: nn.Module, x: Any, channel_axis: int) -> Any:
        """Run nested sequences on the description of their input, whose channels lie in an axis of x [B, T, C, ...] or [B, C, ...]."""
        if isinstance(module, PerStep):
            return self.sequence(path, module.module, x, 1)
        if isinstance(module, Sequential | nn.Sequential):
            for name, child in (module.stages if isinstance(module, Sequential) else module).named_children():
                x = self.sequence(f"{path}.{name}".lstrip("."), child, x, channel_axis)
            return x
        if isinstance(module, nn.Flatten) and module.start_dim != channel_axis:
            raise InputError(f"{path}: expected maps flattened from their channels on, got start_dim {module.start_dim}.")
        return self._module(path, module, x)

    def walk(self, graph: fx.GraphModule, given: Any) -> Any:
        """Run a graph on the description of its first input."""
        values: dict[fx.Node, Any] = {}
        for node in graph.graph.nodes:
            if node.op == "output":
                result = node.args[0]
                return values[result[0] if isinstance(result, tuple) else result]
            values[node] = given if not values else self._node(graph, node, values)
        raise AssertionError("a graph ends with its output")

    def _node(self, graph: fx.GraphModule, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        if node.op == "placeholder":
            return None  # the state, the mask and the number of steps
        if node.op == "get_attr":
            found: Any = operator.attrgetter(str(node.target))(graph)
            return found
        args = fx.map_arg(node.args, lambda one: values[one])
        if node.op == "call_module":
            return self._module(str(node.target), graph.get_submodule(str(node.target)), args[0])
        return self._function(node, args)

    def _module(self, path: str, module: nn.Module, x: Any) -> Any:
        if isinstance(module, Neuron):
            return self._fired(path, module, x)
        if isinstance(module, nn.Conv2d | nn.AvgPool2d | nn.MaxPool2d | nn.AdaptiveAvgPool2d) and isinstance(x, Map) and x.flat:
            raise InputError(f"{path}: expected maps [C, H, W], got vectors.")
        if isinstance(module, nn.Conv2d | nn.Linear):
            return self._weighted(path, module, self._expect_map(path, x))
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d | BatchNorm) and isinstance(x, Sum):
            return normalised(module, x)
        if isinstance(module, nn.AvgPool2d | nn.MaxPool2d):
            kind = "max" if isinstance(module, nn.MaxPool2d) else "pool"
            return self._pooled(path, self._expect_map(path, x), *pool_sizes(path, module), kind)
        if isinstance(module, nn.AdaptiveAvgPool2d):
            x = self._expect_map(path, x)
            kernel = adaptive_kernel(path, module, x.shape)
            return x if kernel == (1, 1) else self._pooled(path, x, kernel, kernel, (0, 0))
        if isinstance(module, nn.Flatten) and isinstance(x, Map) and module.end_dim == -1:
            return replace(x, flat=True)
        if isinstance(module, nn.Identity | nn.Dropout | HeldDropout):
            return x
        raise InputError(f"{path}: expected a part that can be lowered, got {type(module).__name__}, which cannot.")

    def _function(self, node: fx.Node, args: Any) -> Any:
        name, x = getattr(node.target, "__name__", str(node.target)), args[0] if args else None
        if name in ("_pick", "getitem"):
            # Neurons return their outputs first, and a state that the integer network keeps itself.
            return x if isinstance(x, Map) and args[1] == 0 else None
        if name == "flatten":
            return replace(x, flat=True) if isinstance(x, Map) and args[1:] == (1,) else x
        if name in ("unflatten", "contiguous"):
            return x
        if name == "add" and all(isinstance(one, Map | Sum) for one in args):
            return self._added(*args)
        if name in AFFINE and isinstance(x, Map) and isinstance(args[1], Tensor | int | float):
            return affine(name, x, args[1])
        raise InputError(f"{node.name}: expected a function that can be lowered, got {name}, which cannot.")

    def _fired(self, path: str, module: Neuron, x: Any) -> Map:
        if type(module) not in (IF, SignedIF, LIF, PLIF, LI):
            raise InputError(f"{path}: expected IF, SignedIF, LIF, PLIF or LI, got {type(module).__name__}, which has no form here.")
        arriving = self._arriving(x) if isinstance(x, Map) else x
        channels, params = arriving.shape[2], module.params()
        expect_channels(path, module.size, channels)
        start = per_channel(getattr(module, "v_init", 0.0), channels)
        threshold = per_channel(params.get("v_threshold", np.inf), channels)
        scale = threshold if isinstance(module, SignedIF) else per_channel(params.get("amplitude", 1.0), channels)
        reset = None if params.get("v_reset") is None else per_channel(params["v_reset"], channels)
        decay = None if isinstance(module, IF | SignedIF) else per_channel(params["decay"], channels)
        if params.get("scale_input") and decay is not None:
            arriving = times(arriving, 1 - decay)
        soft = isinstance(module, IF) and reset is None
        kind = "signed" if isinstance(module, SignedIF) else "li" if isinstance(module, LI) else "if" if soft else "lif"
        limit = (module.limit or 0) if isinstance(module, SignedIF) else 0
        edges, bias = arriving.edges, arriving.bias
        self.stages.append(FloatStage(path, kind, arriving.shape, edges, bias, threshold, start, limit, decay, reset))
        return Map(len(self.stages), arriving.shape, scale, np.zeros(channels))

    def _weighted(self, path: str, module: nn.Conv2d | nn.Linear, x: Map) -> Sum:
        weight = module.weight.detach().double().numpy()
        height, width, inputs = x.shape
        if isinstance(module, nn.Linear):
            if not (x.flat or (height, width) == (1, 1)) or weight.shape[1] != height * width * inputs:
                raise InputError(f"{path}: expected a linear layer on flattened maps, got one on [H, W, C]. It cannot be lowered.")
            form, shape = EdgeForm(x.number, kernel=(height, width)), (1, 1, len(weight))
            weight = weight.reshape(len(weight), inputs, height, width)
        else:
            expect_channels(path, module.in_channels, inputs)
            form, shape = conv_form(path, module, x)
            weight = dilated(weight, (module.dilation[0], module.dilation[1]))
        groups = form.groups
        scale = np.repeat(x.scale.reshape(groups, 1, -1), len(weight) // groups, 1).reshape(len(weight), -1, 1, 1)
        offset = np.repeat(x.offset.reshape(groups, 1, -1), len(weight) // groups, 1).reshape(len(weight), -1, 1, 1)
        bias = np.zeros(len(weight)) if module.bias is None else module.bias.detach().double().numpy()
        bias = bias + (weight * offset).sum((1, 2, 3))
        # [out, in / groups, kh, kw] -> [in, kh, kw, out / groups]
        own = (weight * scale).reshape(groups, len(weight) // groups, -1, *form.kernel).transpose(0, 2, 3, 4, 1)
        return Sum(shape, (FloatEdge(form, own.reshape(inputs, *form.kernel, -1)),), bias)

    def _pooled(self, path: str, x: Map, kernel: Pair, stride: Pair, padding: Pair, kind: str = "pool") -> Map:
        if kind == "max" and (x.scale < 0).any():
            raise InputError(f"{path}: expected spikes of positive amplitude before a maximum, got a negative one. It cannot be lowered.")
        if x.number == 0:
            raise InputError(f"{path}: expected a convolution or linear layer on the image, got a pool. It cannot be lowered.")
        height, width, channels = x.shape
        shape = (
            (height + 2 * padding[0] - kernel[0]) // stride[0] + 1,
            (width + 2 * padding[1] - kernel[1]) // stride[1] + 1,
            channels,
        )
        expect_size(path, shape)
        empty = np.zeros(0)
        edge = FloatEdge(EdgeForm(x.number, kind, kernel, stride, padding), empty)
        self.stages.append(FloatStage(path, "pool", shape, (edge,), empty, empty, empty))
        return Map(len(self.stages), shape, x.scale / (1 if kind == "max" else kernel[0] * kernel[1]), x.offset)

    def _arriving(self, x: Map) -> Sum:
        """A map as input of neurons: one factor per channel."""
        if x.number == 0:
            raise InputError("network: expected a convolution or linear layer before the first neurons, got none. It cannot be lowered.")
        if x.flat and x.shape[:2] != (1, 1):
            raise InputError("network: expected a linear layer after flatten, got neurons or a sum. This cannot be lowered.")
        return Sum(x.shape, (FloatEdge(EdgeForm(x.number, "gain"), x.scale),), x.offset)

    def _added(self, one: Any, other: Any) -> Sum:
        sums = [self._arriving(part) if isinstance(part, Map) else part for part in (one, other)]
        first, second = sums
        if first.shape != second.shape:
            raise InputError(f"network: expected sums of maps of one size, got {list(first.shape)} and {list(second.shape)}.")
        return Sum(first.shape, first.edges + second.edges, first.bias + second.bias)

    def _expect_map(self, path: str, x: Any) -> Map:
        """Activations as input of weights or a pool; those of the image are centred, so that padding is zero."""
        if not isinstance(x, Map):
            raise InputError(f"{path}: expected neurons before it, got a layer without. Two linear layers in a row cannot be lowered.")
        if x.number:
            return x
        if self.stages:
            raise InputError(f"{path}: expected the image before the first neurons alone, got it later. This cannot be lowered.")
        self.centre = tuple(int(value) for value in np.clip(np.rint(-x.offset / x.scale), 0, 255))
        return replace(x, offset=x.offset + x.scale * np.array(self.centre))
