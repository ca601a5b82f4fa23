"""A NIR graph under construction."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .graph import Edge, Graph
from .nodes import Node, Shape


@dataclass(frozen=True)
class Signal:
    """What some nodes put out, added up."""

    names: tuple[str, ...]
    shape: Shape
    """Of one step, without batch."""


@dataclass
class Writer:
    """Collects nodes and edges.

    Args:
        dt: time step, in s.
        exponential: write time constants for exponential decays, -dt / ln d; otherwise for Euler's method, dt / (1 - d).
        construction: of synaptic delays, see `constructions`.
        feedback_step: whether the step that feedback takes is written as part of its delay.
    """

    dt: float
    exponential: bool = False
    construction: str = "lag-rows"
    feedback_step: bool = False
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def add(
        self, name: str, kind: str, params: dict[str, Any], source: Signal | None, shape: Shape | None = None, **metadata: Any
    ) -> Signal:
        """Append a node.

        Args:
            name: what to call it; made unique, without the characters that other readers cannot take.
            kind: its type.
            params: its parameters.
            source: its input; None for an Input.
            shape: of its output; by default that of its input.
            **metadata: what dendrix says of the node.
        Returns:
            its output.
        """
        free = plain = re.sub(r"\W", "_", name)
        count = 1
        while free in self.nodes:
            count += 1
            free = f"{plain}_{count}"
        arrays = {key: value if isinstance(value, str) else _array(value) for key, value in params.items()}
        self.nodes[free] = Node(kind, arrays, {"dendrix": metadata} if metadata else {})
        self.edges += [] if source is None else [(before, free) for before in source.names]
        found = shape if shape is not None else source.shape if source is not None else None
        return Signal((free,), found if found is not None else tuple(int(size) for size in params["shape"]))

    def link(self, source: Signal, target: Signal) -> None:
        """Feed one signal into the node of another: feedback."""
        self.edges += [(before, after) for before in source.names for after in target.names]

    def entry(self, count: int, signal: Signal) -> Signal:
        """The first node that was added after so many: where feedback enters what put out the signal."""
        return Signal((list(self.nodes)[count],), signal.shape)

    def joined(self, signal: Signal) -> Signal:
        """The signal as the output of one node."""
        if len(signal.names) == 1:
            return signal
        return self.add(f"{signal.names[0]}_sum", "Scale", {"scale": np.ones(signal.shape)}, signal)

    def graph(self, outputs: Sequence[Signal]) -> Graph:
        """The graph, with an Output for each signal."""
        for signal in outputs:
            self.add("output", "Output", {"shape": signal.shape}, self.joined(signal))
        return Graph(dict(self.nodes), tuple(self.edges))


def merged(first: Signal, second: Signal) -> Signal:
    """The sum of two signals.

    Raises:
        InputError: their shapes differ, or a node stands in both.
    """
    if first.shape != second.shape:
        raise InputError(
            f"network: expected a sum of equal shapes, got {list(first.shape)} and {list(second.shape)}. NIR does not broadcast."
        )
    if twice := set(first.names) & set(second.names):
        raise InputError(f"network: expected different terms in a sum, got '{twice.pop()}' twice. Multiply it by two.")
    return Signal(first.names + second.names, first.shape)


def _array(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    return np.asarray(value)


def time_constants(decay: Any, writer: Writer) -> tuple[Any, Any]:
    """Time constants in s of decays per step, as the readers of the graph are to decay, and the share that leaks in a step."""
    return (-writer.dt / np.log(decay) if writer.exponential else writer.dt / (1 - decay)), 1 - decay


def per_neuron(value: Any, shape: Shape) -> Any:
    """A number, or one for each channel, as an array with the shape of a step."""
    array = np.asarray(value.detach().cpu().double().numpy() if isinstance(value, Tensor) else value, np.float64)
    array = array.reshape(-1, *[1] * (len(shape) - 1)) if array.ndim == 1 and array.size > 1 else array
    return np.broadcast_to(array, shape).copy()


def output_shape(module: torch.nn.Module, shape: Shape) -> Shape:
    """The shape that a module of torch puts out for one step of this shape."""
    weight = next(module.parameters(), torch.zeros(()))
    with torch.no_grad():
        return tuple(module(torch.zeros(1, *shape, dtype=weight.dtype)).shape[1:])
