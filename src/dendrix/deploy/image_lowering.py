"""Lowering of converted image networks to stages in float64, with scales of activations folded into the weights that read them."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from ..errors import InputError
from ..models import Converted
from ..neurons import IF, SignedIF
from .image_layout import EdgeForm, Pair

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FloatEdge:
    """Connections from a map of whole numbers; `weight` as in `Stage`, in units of the membrane of the float network."""

    form: EdgeForm
    weight: Floats


@dataclass(frozen=True)
class FloatStage:
    """A stage with numbers of the float network. Parameters of neurons are per channel."""

    path: str
    kind: str
    shape: tuple[int, int, int]
    edges: tuple[FloatEdge, ...]
    bias: Floats
    threshold: Floats
    start: Floats
    limit: int = 0


@dataclass(frozen=True)
class _Map:
    """Activations: values of a map of whole numbers, x scale + offset per channel."""

    number: int
    shape: tuple[int, int, int]
    scale: Floats
    offset: Floats
    flat: bool = False


@dataclass(frozen=True)
class _Sum:
    """Weighted inputs of neurons before they arrive, or outputs."""

    shape: tuple[int, int, int]
    edges: tuple[FloatEdge, ...]
    bias: Floats


@dataclass(frozen=True)
class Lowered:
    """A network in float64."""

    image: tuple[int, int, int]
    """Height, width and channels."""
    centre: tuple[int, ...]
    """Byte that is subtracted from the pixels of each channel; zero afterwards is the zero of the padding, rounded to a byte."""
    stages: tuple[FloatStage, ...]


def lower_images(network: Converted) -> Lowered:
    """Lower a converted network.

    Args:
        network: what `dendrix.models.Converted` made of an image network.
    Raises:
        InputError: a part has no integer form; it is named.
    """
    return _Lowering(network).result()


class _Lowering:
    def __init__(self, network: Converted):
        self.body, self.prefix = network.network.body, network.network.prefix
        channels, height, width = network.network.image
        self.image = height, width, channels
        self.stages: list[FloatStage] = []
        self.centre: tuple[int, ...] | None = None

    def result(self) -> Lowered:
        current = self._walk(self.prefix, {})
        found = self._walk(self.body, {"currents": current})
        if self.centre is None or not isinstance(current, _Sum):
            raise InputError("network: expected a convolution or linear layer before the first neurons, got none. It has no integer form.")
        if isinstance(found, _Map):
            found = self._arriving(found)
        if found.shape[:2] != (1, 1):
            raise InputError(f"network: expected one output per class, got a map {list(found.shape[:2])}. Pool before the read-out.")
        empty = np.zeros(found.shape[2])
        self.stages.append(FloatStage("outputs", "out", found.shape, found.edges, found.bias, empty, empty))
        return Lowered(self.image, self.centre, tuple(self.stages))

    def _walk(self, graph: fx.GraphModule, given: dict[str, Any]) -> Any:
        """Run a graph on descriptions of its values."""
        values: dict[fx.Node, Any] = {}
        for node in graph.graph.nodes:
            if node.op == "output":
                result = node.args[0]
                return values[result[0] if isinstance(result, tuple) else result]
            values[node] = self._node(graph, node, values, given)
        raise AssertionError("a graph ends with its output")

    def _node(self, graph: fx.GraphModule, node: fx.Node, values: dict[fx.Node, Any], given: dict[str, Any]) -> Any:
        if node.op == "placeholder":
            if graph is self.prefix:
                height, width, channels = self.image
                return _Map(0, (height, width, channels), np.full(channels, 1 / 255), np.zeros(channels))
            return given.get(str(node.target))
        if node.op == "get_attr":
            found: Any = operator.attrgetter(str(node.target))(graph)
            return found
        args = fx.map_arg(node.args, lambda one: values[one])
        if node.op == "call_module":
            return self._module(str(node.target), graph.get_submodule(str(node.target)), args[0])
        return self._function(node, args)

    def _module(self, path: str, module: nn.Module, x: Any) -> Any:
        if isinstance(module, IF | SignedIF):
            return self._fired(path, module, x)
        if isinstance(module, nn.Conv2d | nn.Linear):
            return self._weighted(path, module, self._expect_map(path, x))
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) and isinstance(x, _Sum):
            return _normalised(module, x)
        if isinstance(module, nn.AvgPool2d):
            return self._pooled(path, self._expect_map(path, x), *_pool_sizes(path, module))
        if isinstance(module, nn.AdaptiveAvgPool2d):
            x = self._expect_map(path, x)
            kernel = _adaptive_kernel(path, module, x.shape)
            return x if kernel == (1, 1) else self._pooled(path, x, kernel, kernel, (0, 0))
        if isinstance(module, nn.Flatten) and isinstance(x, _Map) and module.start_dim == 1:
            return replace(x, flat=True)
        if isinstance(module, nn.Identity | nn.Dropout):
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

    def _fired(self, path: str, module: IF | SignedIF, x: Any) -> _Map:
        arriving = self._arriving(x) if isinstance(x, _Map) else x
        channels = arriving.shape[2]
        threshold, start = _each(module.params()["v_threshold"], channels), _each(module.v_init, channels)
        kind, limit, scale = "signed", 0, threshold
        if isinstance(module, IF):
            kind, scale = "if", _each(module.params()["amplitude"], channels)
            if module.params()["v_reset"] is not None:
                raise InputError(f"{path}: expected IF neurons with a soft reset, got v_reset. They have no integer form here.")
        else:
            limit = module.limit or 0
        self.stages.append(FloatStage(path, kind, arriving.shape, arriving.edges, arriving.bias, threshold, start, limit))
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


def _normalised(module: nn.BatchNorm1d | nn.BatchNorm2d, x: _Sum) -> _Sum:
    """BatchNorm that conversion did not fold."""
    mean, var = (getattr(module, name).detach().double().numpy() for name in ("running_mean", "running_var"))
    factor = 1 / np.sqrt(var + module.eps)
    offset = -mean * factor
    if module.affine:
        weight, bias = module.weight.detach().double().numpy(), module.bias.detach().double().numpy()
        factor, offset = factor * weight, offset * weight + bias
    return replace(x, edges=tuple(_scaled(edge, factor) for edge in x.edges), bias=x.bias * factor + offset)


def _scaled(edge: FloatEdge, factor: Floats) -> FloatEdge:
    """An edge whose outputs are multiplied by a factor per channel."""
    if edge.form.kind == "gain":
        return replace(edge, weight=edge.weight * factor)
    groups, inputs = edge.form.groups, len(edge.weight)
    each = np.repeat(factor.reshape(groups, 1, -1), inputs // groups, 1).reshape(inputs, 1, 1, -1)
    return replace(edge, weight=edge.weight * each)


def _conv_form(path: str, module: nn.Conv2d, x: _Map) -> tuple[EdgeForm, tuple[int, int, int]]:
    """Form of a convolution, and the shape of its outputs."""
    if isinstance(module.padding, str) or module.padding_mode != "zeros" or module.dilation != (1, 1):
        raise InputError(f"{path}: expected a convolution with zeros around and no dilation, got another. It has no integer form here.")
    kernel, stride, padding = _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
    size = [(x.shape[i] + 2 * padding[i] - kernel[i]) // stride[i] + 1 for i in range(2)]
    return EdgeForm(x.number, "conv", kernel, stride, padding, module.groups), (size[0], size[1], module.out_channels)


def _pool_sizes(path: str, module: nn.AvgPool2d) -> tuple[Pair, Pair, Pair]:
    kernel, stride, padding = _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
    if module.ceil_mode or module.divisor_override or (padding != (0, 0) and not module.count_include_pad):
        raise InputError(f"{path}: expected a pool that divides by the size of its window, got another. It has no integer form here.")
    return kernel, stride, padding


def _adaptive_kernel(path: str, module: nn.AdaptiveAvgPool2d, shape: tuple[int, int, int]) -> Pair:
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
