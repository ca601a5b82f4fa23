"""Small NIR graphs."""

import itertools
from typing import Any

import numpy as np

from dendrix.exchange import Graph, Node

SIZE = 4
DEFAULTS: dict[str, dict[str, float]] = {
    "I": {"r": 1.0},
    "IF": {"r": 1.0, "v_threshold": 1.0, "v_reset": 0.0},
    "LI": {"tau": 1e-2, "r": 1.0, "v_leak": 0.0},
    "LIF": {"tau": 1e-2, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0},
    "CubaLI": {"tau_syn": 5e-3, "tau_mem": 1e-2, "r": 1.0, "v_leak": 0.0, "w_in": 1.0},
    "CubaLIF": {"tau_syn": 5e-3, "tau_mem": 1e-2, "r": 1.0, "v_leak": 0.0, "w_in": 1.0, "v_threshold": 1.0, "v_reset": 0.0},
}


def neuron(kind: str, size: int = SIZE, **change: Any) -> Node:
    """A neuron node with the same parameters for all."""
    return Node(kind, {name: np.zeros(size) + np.asarray(value) for name, value in (DEFAULTS[kind] | change).items()})


def end(kind: str, *shape: int) -> Node:
    """An Input or Output."""
    return Node(kind, {"shape": np.array(shape)})


def affine(size: int = SIZE, inputs: int = 3, seed: int = 0) -> Node:
    """An Affine with random weights."""
    draw = np.random.default_rng(seed)
    return Node("Affine", {"weight": draw.normal(size=(size, inputs)) / 2, "bias": draw.normal(size=size) / 8})


def row(*nodes: tuple[str, Node], **extra: Any) -> Graph:
    """Nodes one after another."""
    names = [name for name, _ in nodes]
    return Graph(dict(nodes), tuple(itertools.pairwise(names)), **extra)


def chain_graph(kind: str, **change: Any) -> Graph:
    """Three inputs, an Affine and four neurons."""
    return row(("input", end("Input", 3)), ("affine", affine()), ("neuron", neuron(kind, **change)), ("output", end("Output", SIZE)))
