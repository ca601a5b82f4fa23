"""Lowering of convolutional networks to stages in float64, with scales of activations folded into the weights that read them.

Map 0 is the input and map k + 1 the output of stage k; maps are [H, W, C].
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from ..errors import InputError
from ..layers import BatchNorm, HeldDropout, PerStep, Sequential
from ..neurons import IF, LI, LIF, PLIF, Neuron, SignedIF
from .plain import expect_plain

Floats = NDArray[np.float64]
Pair = tuple[int, int]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class EdgeForm:
    """Connections of a stage from an earlier map. A linear layer is a convolution with a kernel as large as its input."""

    source: int
    """Number of the map."""
    kind: str = "conv"
    """"conv", "gain" (one factor per channel) or "pool" (sums over windows)."""
    kernel: Pair = (1, 1)
    """Height and width, as of all pairs."""
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    groups: int = 1
    shift: int = 0
    """A weight times a value counts 2^shift units of the membrane, in integer networks."""


@dataclass(frozen=True)
class FloatEdge:
    """Connections from a map, in units of the membrane of the float network."""

    form: EdgeForm
    weight: Floats
    """Of a convolution [in, kernel height, kernel width, out / groups], of a gain [channels], of a pool [0]."""


@dataclass(frozen=True)
class FloatStage:
    """Edges into neurons, a pool or the outputs, with numbers of the float network. Parameters of neurons are per channel."""

    path: str
    kind: str
    """"signed" and "if" (soft reset) for neurons of converted networks, "lif" and "li" for others, "pool", or "out" for the outputs."""
    shape: Shape
    """Height, width and channels of its map: spikes -1, 0 and 1, except of "li", "pool" and "out"."""
    edges: tuple[FloatEdge, ...]
    bias: Floats
    threshold: Floats
    start: Floats
    limit: int = 0
    """Signed neurons: largest number of spikes that are not cancelled; 0 for no limit."""
    decay: Floats | None = None
    """None for 1."""
    reset: Floats | None = None
    """Membrane after a spike; None subtracts the threshold."""


@dataclass(frozen=True)
class _Map:
    """Activations: values of a map, x scale + offset per channel."""

    number: int
    shape: Shape
    scale: Floats
    offset: Floats
    flat: bool = False


@dataclass(frozen=True)
class _Sum:
    """Weighted inputs of neurons before they arrive, or outputs."""

    shape: Shape
    edges: tuple[FloatEdge, ...]
    bias: Floats


@dataclass(frozen=True)
class Lowered:
    """A converted network in float64, with the part before its first neurons."""

    image: Shape
    """Height, width and channels."""
    centre: tuple[int, ...]
    """Byte that is subtracted from the pixels of each channel; zero afterwards is the zero of the padding, rounded to a byte."""
    stages: tuple[FloatStage, ...]


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
    pixels = _Map(0, (size[0], size[1], channels), np.full(channels, 1 / 255), np.zeros(channels))
    current = reading.walk(prefix, pixels)
    outputs = reading.walk(body, current)
    if reading.centre is None or not isinstance(current, _Sum):
        raise InputError("network: expected a convolution or linear layer before the first neurons, got none. It has no integer form.")
    if other := next((stage for stage in reading.stages if stage.kind not in ("signed", "if", "pool")), None):
        raise InputError(f"{other.path}: expected SignedIF, or IF with a soft reset, got neurons without an integer form here.")
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
        return reading.stages_to(reading.walk(network, _Sum(shape, (own,), np.zeros(channels))))
    inputs = _Map(0, shape, np.ones(channels), np.zeros(channels), flat=len(step) == 1)
    return reading.stages_to(reading.sequence("", network, inputs, 2))


class _Lowering:
    def __init__(self) -> None:
        self.stages: list[FloatStage] = []
        self.centre: tuple[int, ...] | None = None

    def stages_to(self, outputs: Any) -> tuple[FloatStage, ...]:
        """All stages, up to the outputs of the network."""
        found = self._arriving(outputs) if isinstance(outputs, _Map) else outputs
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
        if isinstance(module, nn.Conv2d | nn.AvgPool2d | nn.AdaptiveAvgPool2d) and isinstance(x, _Map) and x.flat:
            raise InputError(f"{path}: expected maps [C, H, W], got vectors.")
        if isinstance(module, nn.Conv2d | nn.Linear):
            return self._weighted(path, module, self._expect_map(path, x))
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d | BatchNorm) and isinstance(x, _Sum):
            return _normalised(module, x)
        if isinstance(module, nn.AvgPool2d):
            return self._pooled(path, self._expect_map(path, x), *_pool_sizes(path, module))
        if isinstance(module, nn.AdaptiveAvgPool2d):
            x = self._expect_map(path, x)
            kernel = _adaptive_kernel(path, module, x.shape)
            return x if kernel == (1, 1) else self._pooled(path, x, kernel, kernel, (0, 0))
        if isinstance(module, nn.Flatten) and isinstance(x, _Map) and module.end_dim == -1:
            return replace(x, flat=True)
        if isinstance(module, nn.Identity | nn.Dropout | HeldDropout):
            return x
        raise InputError(f"{path}: expected a part with an integer form, got {type(module).__name__}, which has none.")

    def _function(self, node: fx.Node, args: Any) -> Any:
        name, x = getattr(node.target, "__name__", str(node.target)), args[0] if args else None
        if name in ("_pick", "getitem"):
            # Neurons return their outputs first, and a state that the integer network keeps itself.
            return x if isinstance(x, _Map) and args[1] == 0 else None
        if name == "flatten":
            return replace(x, flat=True) if isinstance(x, _Map) and args[1:] == (1,) else x
        if name in ("unflatten", "contiguous"):
            return x
        if name == "add" and all(isinstance(one, _Map | _Sum) for one in args):
            return self._added(*args)
        if name in _AFFINE and isinstance(x, _Map) and isinstance(args[1], Tensor | int | float):
            return _affine(name, x, args[1])
        raise InputError(f"{node.name}: expected a function with an integer form, got {name}, which has none here.")

    def _fired(self, path: str, module: Neuron, x: Any) -> _Map:
        if type(module) not in (IF, SignedIF, LIF, PLIF, LI):
            raise InputError(f"{path}: expected IF, SignedIF, LIF, PLIF or LI, got {type(module).__name__}, which has no form here.")
        arriving = self._arriving(x) if isinstance(x, _Map) else x
        channels, params = arriving.shape[2], module.params()
        _expect_channels(path, module.size, channels)
        start = _each(getattr(module, "v_init", 0.0), channels)
        threshold = _each(params.get("v_threshold", np.inf), channels)
        scale = threshold if isinstance(module, SignedIF) else _each(params.get("amplitude", 1.0), channels)
        reset = None if params.get("v_reset") is None else _each(params["v_reset"], channels)
        decay = None if isinstance(module, IF | SignedIF) else _each(params["decay"], channels)
        if params.get("scale_input") and decay is not None:
            arriving = _times(arriving, 1 - decay)
        soft = isinstance(module, IF) and reset is None
        kind = "signed" if isinstance(module, SignedIF) else "li" if isinstance(module, LI) else "if" if soft else "lif"
        limit = (module.limit or 0) if isinstance(module, SignedIF) else 0
        edges, bias = arriving.edges, arriving.bias
        self.stages.append(FloatStage(path, kind, arriving.shape, edges, bias, threshold, start, limit, decay, reset))
        return _Map(len(self.stages), arriving.shape, scale, np.zeros(channels))

    def _weighted(self, path: str, module: nn.Conv2d | nn.Linear, x: _Map) -> _Sum:
        weight = module.weight.detach().double().numpy()
        height, width, inputs = x.shape
        if isinstance(module, nn.Linear):
            if not (x.flat or (height, width) == (1, 1)) or weight.shape[1] != height * width * inputs:
                raise InputError(f"{path}: expected a linear layer on flattened maps, got one on [H, W, C]. It has no integer form here.")
            form, shape = EdgeForm(x.number, kernel=(height, width)), (1, 1, len(weight))
            weight = weight.reshape(len(weight), inputs, height, width)
        else:
            _expect_channels(path, module.in_channels, inputs)
            form, shape = _conv_form(path, module, x)
        groups = form.groups
        scale = np.repeat(x.scale.reshape(groups, 1, -1), len(weight) // groups, 1).reshape(len(weight), -1, 1, 1)
        offset = np.repeat(x.offset.reshape(groups, 1, -1), len(weight) // groups, 1).reshape(len(weight), -1, 1, 1)
        bias = np.zeros(len(weight)) if module.bias is None else module.bias.detach().double().numpy()
        bias = bias + (weight * offset).sum((1, 2, 3))
        # [out, in / groups, kh, kw] -> [in, kh, kw, out / groups]
        own = (weight * scale).reshape(groups, len(weight) // groups, -1, *form.kernel).transpose(0, 2, 3, 4, 1)
        return _Sum(shape, (FloatEdge(form, own.reshape(inputs, *form.kernel, -1)),), bias)

    def _pooled(self, path: str, x: _Map, kernel: Pair, stride: Pair, padding: Pair) -> _Map:
        if x.number == 0:
            raise InputError(f"{path}: expected a convolution or linear layer on the image, got a pool. It has no integer form here.")
        height, width, channels = x.shape
        shape = (
            (height + 2 * padding[0] - kernel[0]) // stride[0] + 1,
            (width + 2 * padding[1] - kernel[1]) // stride[1] + 1,
            channels,
        )
        _expect_size(path, shape)
        empty = np.zeros(0)
        edge = FloatEdge(EdgeForm(x.number, "pool", kernel, stride, padding), empty)
        self.stages.append(FloatStage(path, "pool", shape, (edge,), empty, empty, empty))
        return _Map(len(self.stages), shape, x.scale / (kernel[0] * kernel[1]), x.offset)

    def _arriving(self, x: _Map) -> _Sum:
        """A map as input of neurons: one factor per channel."""
        if x.number == 0:
            raise InputError("network: expected a convolution or linear layer before the first neurons, got none. It has no integer form.")
        if x.flat and x.shape[:2] != (1, 1):
            raise InputError("network: expected a linear layer after flatten, got neurons or a sum. This has no integer form here.")
        return _Sum(x.shape, (FloatEdge(EdgeForm(x.number, "gain"), x.scale),), x.offset)

    def _added(self, one: Any, other: Any) -> _Sum:
        sums = [self._arriving(part) if isinstance(part, _Map) else part for part in (one, other)]
        first, second = sums
        if first.shape != second.shape:
            raise InputError(f"network: expected sums of maps of one size, got {list(first.shape)} and {list(second.shape)}.")
        return _Sum(first.shape, first.edges + second.edges, first.bias + second.bias)

    def _expect_map(self, path: str, x: Any) -> _Map:
        """Activations as input of weights or a pool; those of the image are centred, so that padding is zero."""
        if not isinstance(x, _Map):
            raise InputError(f"{path}: expected neurons before it, got a layer without. Two linear layers in a row have no integer form.")
        if x.number:
            return x
        if self.stages:
            raise InputError(f"{path}: expected the image before the first neurons alone, got it later. This has no integer form here.")
        self.centre = tuple(int(value) for value in np.clip(np.rint(-x.offset / x.scale), 0, 255))
        return replace(x, offset=x.offset + x.scale * np.array(self.centre))


_AFFINE: dict[str, Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]] = {
    "add": lambda scale, offset, value: (scale, offset + value),
    "sub": lambda scale, offset, value: (scale, offset - value),
    "mul": lambda scale, offset, value: (scale * value, offset * value),
    "truediv": lambda scale, offset, value: (scale / value, offset / value),
    "div": lambda scale, offset, value: (scale / value, offset / value),
}
"""Functions of a map and a constant per channel: scale and offset afterwards."""


def _affine(name: str, x: _Map, value: Tensor | float) -> _Map:
    number = np.asarray(value.detach().double().numpy() if isinstance(value, Tensor) else value, np.float64)
    channels = x.shape[2]
    if number.size not in (1, channels) or (number.ndim and number.size != number.shape[-3 if number.ndim >= 3 else 0]):
        raise InputError(f"network: expected one constant per channel, got shape {list(number.shape)}. This has no integer form here.")
    scale, offset = _AFFINE[name](x.scale, x.offset, number.ravel())
    if x.number and offset.any():
        raise InputError("network: expected constants added to the image alone, got one added to spikes. This has no integer form here.")
    return replace(x, scale=scale, offset=offset)


def _normalised(module: nn.BatchNorm1d | nn.BatchNorm2d | BatchNorm, x: _Sum) -> _Sum:
    """BatchNorm that conversion did not fold."""
    if module.running_mean is None:
        raise InputError("network: expected BatchNorm with running statistics, got none. It has no integer form.")
    _expect_channels("network", len(module.running_mean), x.shape[2])
    mean, var = (getattr(module, name).detach().double().numpy() for name in ("running_mean", "running_var"))
    factor = 1 / np.sqrt(var + module.eps)
    offset = -mean * factor
    if module.weight is not None:
        weight, bias = module.weight.detach().double().numpy(), module.bias.detach().double().numpy()
        factor, offset = factor * weight, offset * weight + bias
    scaled = _times(x, factor)
    return replace(scaled, bias=scaled.bias + offset)


def _times(x: _Sum, factor: Floats) -> _Sum:
    """Inputs of neurons times a factor per channel."""
    return replace(x, edges=tuple(_scaled(edge, factor) for edge in x.edges), bias=x.bias * factor)


def _scaled(edge: FloatEdge, factor: Floats) -> FloatEdge:
    """An edge whose outputs are multiplied by a factor per channel."""
    if edge.form.kind == "gain":
        return replace(edge, weight=edge.weight * factor)
    groups, inputs = edge.form.groups, len(edge.weight)
    each = np.repeat(factor.reshape(groups, 1, -1), inputs // groups, 1).reshape(inputs, 1, 1, -1)
    return replace(edge, weight=edge.weight * each)


def _conv_form(path: str, module: nn.Conv2d, x: _Map) -> tuple[EdgeForm, Shape]:
    """Form of a convolution, and the shape of its outputs."""
    if isinstance(module.padding, str) or module.padding_mode != "zeros" or module.dilation != (1, 1):
        raise InputError(f"{path}: expected a convolution with zeros around and no dilation, got another. It has no integer form here.")
    kernel, stride, padding = _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
    size = [(x.shape[i] + 2 * padding[i] - kernel[i]) // stride[i] + 1 for i in range(2)]
    _expect_size(path, size)
    return EdgeForm(x.number, "conv", kernel, stride, padding, module.groups), (size[0], size[1], module.out_channels)


def _expect_channels(path: str, size: int, channels: int) -> None:
    if size != channels:
        raise InputError(f"{path}: expected {size} channels, got {channels}.")


def _expect_size(path: str, size: Sequence[int]) -> None:
    if min(size) < 1:
        raise InputError(f"{path}: expected a map as large as the kernel, got a smaller one.")


def _pool_sizes(path: str, module: nn.AvgPool2d) -> tuple[Pair, Pair, Pair]:
    kernel, stride, padding = _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
    if module.ceil_mode or module.divisor_override or (padding != (0, 0) and not module.count_include_pad):
        raise InputError(f"{path}: expected a pool that divides by the size of its window, got another. It has no integer form here.")
    return kernel, stride, padding


def _adaptive_kernel(path: str, module: nn.AdaptiveAvgPool2d, shape: Shape) -> Pair:
    wanted = _pair(module.output_size)
    if any(size % (out or size) for size, out in zip(shape, wanted, strict=False)):
        raise InputError(f"{path}: expected windows of one size, got {wanted} of {shape[:2]}. It has no integer form here.")
    return shape[0] // (wanted[0] or shape[0]), shape[1] // (wanted[1] or shape[1])


def _pair(value: Any) -> Any:
    """A number as a pair of it."""
    return (value, value) if isinstance(value, int) or value is None else (value[0], value[1])


def _each(value: Any, channels: int) -> Floats:
    """A number or one per channel as one per channel."""
    found = value.detach().double().numpy() if isinstance(value, Tensor) else np.asarray(value, np.float64)
    return np.broadcast_to(found.ravel(), channels).copy()
