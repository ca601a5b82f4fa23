"""Parts of convolutional networks as forms of stages: sizes, constants and BatchNorm."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..errors import InputError
from ..layers import BatchNorm
from .stage_forms import EdgeForm, FloatEdge, Floats, Map, Pair, Shape, Sum

AFFINE: dict[str, Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]] = {
    "add": lambda scale, offset, value: (scale, offset + value),
    "sub": lambda scale, offset, value: (scale, offset - value),
    "mul": lambda scale, offset, value: (scale * value, offset * value),
    "truediv": lambda scale, offset, value: (scale / value, offset / value),
    "div": lambda scale, offset, value: (scale / value, offset / value),
}
"""Functions of a map and a constant per channel: scale and offset afterwards."""


def affine(name: str, x: Map, value: Tensor | float) -> Map:
    number = np.asarray(value.detach().double().numpy() if isinstance(value, Tensor) else value, np.float64)
    channels = x.shape[2]
    if number.size not in (1, channels) or (number.ndim and number.size != number.shape[-3 if number.ndim >= 3 else 0]):
        raise InputError(f"network: expected one constant per channel, got shape {list(number.shape)}. This cannot be lowered.")
    scale, offset = AFFINE[name](x.scale, x.offset, number.ravel())
    if x.number and offset.any():
        raise InputError("network: expected constants added to the image alone, got one added to spikes. This cannot be lowered.")
    return replace(x, scale=scale, offset=offset)


def normalised(module: nn.BatchNorm1d | nn.BatchNorm2d | BatchNorm, x: Sum) -> Sum:
    """BatchNorm that conversion did not fold."""
    if module.running_mean is None:
        raise InputError("network: expected BatchNorm with running statistics, got none. It cannot be lowered.")
    expect_channels("network", len(module.running_mean), x.shape[2])
    mean, var = (getattr(module, name).detach().double().numpy() for name in ("running_mean", "running_var"))
    factor = 1 / np.sqrt(var + module.eps)
    offset = -mean * factor
    if module.weight is not None:
        weight, bias = module.weight.detach().double().numpy(), module.bias.detach().double().numpy()
        factor, offset = factor * weight, offset * weight + bias
    scaled = times(x, factor)
    return replace(scaled, bias=scaled.bias + offset)


def times(x: Sum, factor: Floats) -> Sum:
    """Inputs of neurons times a factor per channel."""
    return replace(x, edges=tuple(_scaled(edge, factor) for edge in x.edges), bias=x.bias * factor)


def _scaled(edge: FloatEdge, factor: Floats) -> FloatEdge:
    """An edge whose outputs are multiplied by a factor per channel."""
    if edge.form.kind == "gain":
        return replace(edge, weight=edge.weight * factor)
    groups, inputs = edge.form.groups, len(edge.weight)
    each = np.repeat(factor.reshape(groups, 1, -1), inputs // groups, 1).reshape(inputs, 1, 1, -1)
    return replace(edge, weight=edge.weight * each)


def conv_form(path: str, module: nn.Conv2d, x: Map) -> tuple[EdgeForm, Shape]:
    """Form of a convolution, whose kernel is as large as its dilation makes it, and the shape of its outputs."""
    if isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise InputError(f"{path}: expected a convolution with a number of zeros around, got another. It cannot be lowered.")
    stride, padding = _pair(module.stride), _pair(module.padding)
    kernel = module.dilation[0] * (module.kernel_size[0] - 1) + 1, module.dilation[1] * (module.kernel_size[1] - 1) + 1
    size = [(x.shape[i] + 2 * padding[i] - kernel[i]) // stride[i] + 1 for i in range(2)]
    expect_size(path, size)
    return EdgeForm(x.number, "conv", kernel, stride, padding, module.groups), (size[0], size[1], module.out_channels)


def expect_channels(path: str, size: int, channels: int) -> None:
    if size != channels:
        raise InputError(f"{path}: expected {size} channels, got {channels}.")


def expect_size(path: str, size: Sequence[int]) -> None:
    if min(size) < 1:
        raise InputError(f"{path}: expected a map as large as the kernel, got a smaller one.")


def pool_sizes(path: str, module: nn.AvgPool2d | nn.MaxPool2d) -> tuple[Pair, Pair, Pair]:
    """Kernel, stride and padding of a pool."""
    kernel, stride, padding = _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
    if isinstance(module, nn.MaxPool2d):
        if module.ceil_mode or module.return_indices or _pair(module.dilation) != (1, 1):
            raise InputError(f"{path}: expected maxima over plain windows, got ceil_mode, dilation or indices. It cannot be lowered.")
    elif module.ceil_mode or module.divisor_override or (padding != (0, 0) and not module.count_include_pad):
        raise InputError(f"{path}: expected a pool that divides by the size of its window, got another. It cannot be lowered.")
    return kernel, stride, padding


def dilated(weight: Floats, dilation: Pair) -> Floats:
    """Weights [..., H, W] of a dilated convolution, with zeros between them."""
    height, width = ((size - 1) * step + 1 for size, step in zip(weight.shape[-2:], dilation, strict=True))
    found = np.zeros((*weight.shape[:-2], height, width))
    found[..., :: dilation[0], :: dilation[1]] = weight
    return found


def adaptive_kernel(path: str, module: nn.AdaptiveAvgPool2d, shape: Shape) -> Pair:
    wanted = _pair(module.output_size)
    if any(size % (out or size) for size, out in zip(shape, wanted, strict=False)):
        raise InputError(f"{path}: expected windows of one size, got {wanted} of {shape[:2]}. It cannot be lowered.")
    return shape[0] // (wanted[0] or shape[0]), shape[1] // (wanted[1] or shape[1])


def _pair(value: Any) -> Any:
    """A number as a pair of it."""
    return (value, value) if isinstance(value, int) or value is None else (value[0], value[1])


def per_channel(value: Any, channels: int) -> Floats:
    """A number or one per channel as one per channel."""
    found = value.detach().double().numpy() if isinstance(value, Tensor) else np.asarray(value, np.float64)
    return np.broadcast_to(found.ravel(), channels).copy()
