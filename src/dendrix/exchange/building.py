"""The layer for each node of a graph."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..core import Stateful
from ..errors import InputError
from ..layers import PerStep
from ..neurons.nir import NIRNeuron
from .delay_line import DelayLine
from .dialects import Dialect, Gain, Reset, coefficients
from .exact import ExactLIF
from .graph import Assumptions
from .layers import BatchedLinear, Scale, Threshold
from .nodes import NEURONS, Node, Shape

LARGEST = 2**28
"""Most values that a layer may put out or hold in a step."""
_OFF_GRID = 1e-3
"""Delays may miss whole steps by so many of them."""


@dataclass(frozen=True)
class Reading:
    """How to read a graph."""

    dt_ms: float
    dialect: Dialect
    reset: Reset | None = None
    gain: Gain | None = None
    own: bool = False
    """Whether nodes say themselves when they fire and how they are reset, as those of dendrix do."""
    feedback_step: bool = False
    """Whether the step that feedback takes is part of its delay."""

    def of(self, node: Node) -> tuple[Dialect, Reset | None]:
        """The dialect and the reset for one node."""
        told = node.metadata.get("dendrix") if self.own else None
        if not isinstance(told, dict):
            return self.dialect, self.reset
        fires, reset = (_word(told.get(key)) for key in ("fires", "reset"))
        dialect = replace(self.dialect, fires=fires) if fires in (">", ">=") else self.dialect
        return dialect, self.reset or (reset if reset in ("hard", "soft") else None)


def _word(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def layer_of(name: str, node: Node, shape: Shape, reading: Reading, assumptions: Assumptions, recurrent: bool) -> Stateful:
    """The layer for a node whose input has this shape, without batch and time."""
    if node.type in reading.dialect.lacks:
        told = f"expected what {reading.dialect.library.partition(',')[0]} can express, but its import has no {node.type}"
        raise InputError(f"node '{name}' ({node.type}): {told}. Choose another dialect.")
    if node.type in NEURONS:
        return _neuron(name, node, shape, reading, recurrent)
    if node.type == "Delay":
        return DelayLine(_lags(name, node, shape, reading, recurrent, assumptions))
    if node.type == "Affine" and recurrent and not reading.dialect.feedback_bias:
        node = Node("Linear", {"weight": node.params["weight"]})
    return PerStep(_module(name, node, shape))


def _neuron(name: str, node: Node, shape: Shape, reading: Reading, recurrent: bool) -> Stateful:
    if reading.dialect.scheme == "crossing":
        if node.type != "LIF" or len(shape) != 1:
            raise InputError(
                f"node '{name}' ({node.type}): expected LIF neurons in a row, which alone are solved exactly. Choose another dialect."
            )
        return ExactLIF(shape[0], reading.dt_ms * 1e-3, **node.params)
    dialect, reset = reading.of(node)
    found = coefficients(name, node, reading.dt_ms, dialect, reset, recurrent, reading.gain)
    given = {key: value for key, value in vars(found).items() if value is not None}
    firing = {"v_threshold": None, "v_reset": None} | given
    return NIRNeuron(shape[0], **firing, fires=dialect.fires, grid=dialect.grid, dt_ms=reading.dt_ms)


def _lags(name: str, node: Node, shape: Shape, reading: Reading, recurrent: bool, assumptions: Assumptions) -> Any:
    dt_ms = reading.dt_ms
    exact = np.asarray(node.params["delay"], np.float64) / (dt_ms * 1e-3)
    lags = np.rint(exact)
    if (np.abs(exact - lags) > _OFF_GRID).any():
        worst = exact.flat[np.abs(exact - lags).argmax()]
        assumptions.take(f"node '{name}' (Delay): expected whole steps of {dt_ms:.6g} ms, got {worst:.6g} steps.", "delays are rounded")
    if lags.max() * max(1, math.prod(shape)) > LARGEST:
        raise InputError(f"node '{name}' (Delay): expected at most {LARGEST:,} values to hold, got {lags.max():.3g} steps. Check dt_ms.")
    lags = lags.astype(np.int64)
    if recurrent and reading.feedback_step:
        if lags.min() < 1:
            raise InputError(f"node '{name}' (Delay): expected feedback of at least one step, as the metadata say, got {lags.min()}.")
        lags = lags - 1
    return lags.flat[0] if lags.size and (lags == lags.flat[0]).all() else lags


def _module(name: str, node: Node, shape: Shape) -> nn.Module:
    """A module of torch with the weights of the node."""
    params = node.params
    if node.type == "Scale":
        return Scale(params["scale"])
    if node.type == "Threshold":
        return Threshold(params["threshold"])
    if node.type in ("Affine", "Linear"):
        return _linear(name, node, shape)
    if node.type in ("Conv1d", "Conv2d"):
        return _conv(name, node, shape)
    if node.type in ("SumPool2d", "AvgPool2d"):
        sizes = [_pair(params[key]) for key in ("kernel_size", "stride", "padding")]
        return nn.AvgPool2d(sizes[0], sizes[1], sizes[2], divisor_override=1 if node.type == "SumPool2d" else None)
    first, last = int(params["start_dim"]), int(params["end_dim"])
    return nn.Flatten(first + 1 if first >= 0 else first, last + 1 if last >= 0 else last)


def _pair(value: Any) -> tuple[int, int]:
    first, second = np.broadcast_to(value, 2)
    return int(first), int(second)


def _linear(name: str, node: Node, shape: Shape) -> nn.Module:
    weight, bias = node.params["weight"], node.params.get("bias")
    if weight.ndim < 2 or shape != (*weight.shape[:-2], weight.shape[-1]):
        wanted = [*weight.shape[:-2], *weight.shape[-1:]]
        raise InputError(
            f"node '{name}' ({node.type}): expected input of shape {wanted}, as its weight has, got {list(shape)}. Correct the graph."
        )
    if bias is not None and bias.shape != weight.shape[:-1]:
        raise InputError(
            f"node '{name}' ({node.type}): expected a bias {list(weight.shape[:-1])}, got {list(bias.shape)}. Correct the graph."
        )
    if weight.ndim > 2:
        return BatchedLinear(weight, bias)
    return _filled(nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta"), weight, bias)


def _conv(name: str, node: Node, shape: Shape) -> nn.Module:
    params, axes = node.params, int(node.type[4])
    weight, bias, groups = params["weight"], params["bias"], int(params["groups"])
    channels = weight.shape[1] * groups if weight.ndim > 1 else 0
    if weight.ndim != axes + 2 or len(shape) != axes + 1 or shape[0] != channels or weight.shape[0] % groups:
        raise InputError(
            f"node '{name}' ({node.type}): expected input with {axes + 1} axes and {channels} channels, as its weight "
            f"{list(weight.shape)} has, got {list(shape)}. Correct the graph."
        )
    sizes: dict[str, Any] = {key: tuple(int(v) for v in np.broadcast_to(params[key], axes)) for key in ("stride", "dilation")}
    padding = params["padding"]
    sizes["padding"] = padding if isinstance(padding, str) else tuple(int(v) for v in np.broadcast_to(padding, axes))
    kind = nn.Conv1d if axes == 1 else nn.Conv2d
    made = kind(channels, weight.shape[0], weight.shape[2:], groups=groups, device="meta", **sizes)
    return _filled(made, weight, bias)


def _filled(module: nn.Module, weight: Any, bias: Any) -> nn.Module:
    """The module with its weights in place of those it would draw."""
    dtype = torch.get_default_dtype()

    def parameter(value: Any) -> nn.Parameter:
        return nn.Parameter(torch.as_tensor(np.array(value), dtype=dtype))

    module.weight = parameter(weight)
    if bias is not None:
        module.bias = parameter(bias)
    return module
