"""Kinds of modules and functions of torch. Those that are linear act on spikes over time as on rates."""

import math
import operator
from numbers import Real
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
"""Affine in evaluation mode, with running statistics."""

MaxPoolModule = nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
MAX_POOL_FUNCTIONS = (
    functional.max_pool1d,
    functional.max_pool2d,
    functional.max_pool3d,
    torch.max_pool1d,
    torch.max_pool2d,
    torch.max_pool3d,
)
AVERAGES: dict[type[nn.Module], type[nn.Module]] = {
    nn.MaxPool1d: nn.AvgPool1d,
    nn.MaxPool2d: nn.AvgPool2d,
    nn.MaxPool3d: nn.AvgPool3d,
}

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LINEAR = (
    *CONVOLUTIONS, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.Flatten, nn.Unflatten, nn.Upsample, nn.PixelShuffle,
    nn.ChannelShuffle, nn.ZeroPad1d, nn.ZeroPad2d,
)  # fmt: skip
REMOVED = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.Identity)
"""Modules without an effect in evaluation mode."""

IN_PLACE_RELUS = (functional.relu_, torch.relu_, "relu_")
RELUS = (functional.relu, torch.relu, "relu", *IN_PLACE_RELUS)
"""Functions that are a ReLU; methods by name, here and below."""

DROPOUTS = (functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d)
IN_PLACE: dict[Any, Any] = {"add_": "add", "sub_": "sub"}
"""In-place sums, and their out-of-place forms."""

_CLAMPS = (torch.clamp, torch.clip, torch.clamp_, torch.clip_, "clamp", "clip", "clamp_", "clip_")
_HARDTANHS = (functional.hardtanh, functional.hardtanh_)

_FUNCTIONS = (
    operator.add, operator.sub, operator.neg, operator.getitem, getattr, torch.add, torch.sub, torch.flatten, torch.cat, torch.mean,
    torch.reshape, functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d, functional.adaptive_avg_pool1d,
    functional.adaptive_avg_pool2d, functional.adaptive_avg_pool3d, functional.pad, functional.interpolate,
    "add", "sub", "flatten", "view", "reshape", "mean", "size", "contiguous", "permute", "transpose", "squeeze",
)  # fmt: skip
_PRODUCTS = (operator.mul, torch.mul, "mul")
_QUOTIENTS = (operator.truediv, torch.div, "div")


def is_linear(node: fx.Node) -> bool:
    """Whether a call of a function or method is affine in the activations that it reads, or only reads their shape."""
    if node.target in _FUNCTIONS:
        return True
    operands = [isinstance(part, fx.Node) and part.op != "get_attr" for part in node.args]
    if node.kwargs or sum(operands) != 1:
        return False
    return node.target in _PRODUCTS or (node.target in _QUOTIENTS and operands[0])


def ceiling_of_module(module: nn.Module) -> float | None:
    """The ceiling of a module that clips to [0, ceiling], such as ReLU6; None for others."""
    return _ceiling(module.min_val, module.max_val) if isinstance(module, nn.Hardtanh) else None


def ceiling_of_call(node: fx.Node) -> float | None:
    """The ceiling of a function or method that clips to [0, ceiling]; None for others."""
    if node.target is functional.relu6:
        return 6.0
    if node.target in _CLAMPS:
        return _ceiling(_argument(node, 1, "min", None), _argument(node, 2, "max", None))
    if node.target in _HARDTANHS:
        return _ceiling(_argument(node, 1, "min_val", -1.0), _argument(node, 2, "max_val", 1.0))
    return None


def _argument(node: fx.Node, place: int, name: str, default: float | None) -> Any:
    return node.args[place] if len(node.args) > place else node.kwargs.get(name, default)


def _ceiling(low: Any, high: Any) -> float | None:
    numbers = isinstance(low, Real) and isinstance(high, Real)
    return float(high) if numbers and low == 0 and 0 < high < math.inf else None
