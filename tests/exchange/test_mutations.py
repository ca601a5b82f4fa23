"""Graphs with parts replaced at random: each is read, or refused in one sentence."""

import contextlib
import random
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from dendrix.errors import DendrixError
from dendrix.exchange import Node, from_nir
from support.nir_graphs import SIZE, affine, chain_graph, end, neuron, row

VALUES: list[Any] = [
    *(None, 0, -1, 1, 3.5, float("nan"), "x", b"x", True, 10**12, [], [1, 2], {"a": 1}),
    *(np.zeros(0), np.ones(4), np.ones((2, 3)), np.array(["a"]), np.array(1 + 2j), np.full(4, 1e300)),
]
EDGES: list[Any] = [
    ["input", "output"],
    ["output", "input"],
    ["neuron", "neuron"],
    ["gone", "neuron"],
    [],
    ["a", "b", "c"],
    5,
    [1, 2],
    "ab",
]
NODES: list[Any] = [3, np.ones(2), {"type": "NIRGraph"}, {"type": "NIRGraph", "nodes": {}, "edges": []}, {"type": 3}, {"type": "Flatten"}]


def maps() -> dict[str, Any]:
    pool = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2]), "padding": np.array([0, 0])}
    conv = {"weight": np.ones((4, 2, 3, 3)), "bias": np.ones(4), "groups": np.array(1), "input_shape": np.array([8, 8])}
    conv |= {"padding": np.array([1, 1]), "stride": np.array([1, 1]), "dilation": np.array([1, 1])}
    flat = Node("Flatten", {"start_dim": np.array(0), "end_dim": np.array(-1)})
    nodes = ("input", end("Input", 2, 8, 8)), ("neuron", Node("Conv2d", conv)), ("pool", Node("SumPool2d", pool)), ("flat", flat)
    return described(row(*nodes, ("output", end("Output", 64))))


def delayed() -> dict[str, Any]:
    delay = Node("Delay", {"delay": np.array([0, 1e-3, 2e-3, 0])})
    return described(
        row(("input", end("Input", 3)), ("w", affine()), ("d", delay), ("neuron", neuron("I")), ("output", end("Output", SIZE)))
    )


def described(graph: Any) -> dict[str, Any]:
    nodes = {name: {"type": node.type, **node.params} for name, node in graph.nodes.items()}
    return {"type": "NIRGraph", "nodes": nodes, "edges": [list(edge) for edge in graph.edges]}


BASES = [maps, delayed, *(lambda kind=kind: described(chain_graph(kind)) for kind in ("LIF", "CubaLIF", "IF"))]


def mutate(graph: dict[str, Any], draw: random.Random) -> None:
    place = draw.choice(["parameter", "parameter", "parameter", "node", "edge", "part"])
    if place == "parameter":
        node = draw.choice(list(graph["nodes"].values()))
        if isinstance(node, Mapping) and node:
            node[draw.choice(list(node))] = draw.choice(VALUES)
    elif place == "node":
        graph["nodes"][draw.choice(list(graph["nodes"]))] = draw.choice(NODES)
    elif place == "edge":
        graph["edges"][draw.randrange(len(graph["edges"]))] = draw.choice(EDGES)
    else:
        graph[draw.choice(["nodes", "edges", "metadata"])] = draw.choice([3, None, {}, "x", np.ones(3)])


class Graph:
    def __init__(self, parts: dict[str, Any]) -> None:
        self.parts = parts

    def to_dict(self) -> dict[str, Any]:
        return self.parts


@pytest.mark.parametrize("block", range(4))
def test_mutations_are_read_or_refused(block: int) -> None:
    refused = 0
    for seed in range(200 * block, 200 * block + 200):
        draw = random.Random(seed)
        graph = draw.choice(BASES)()
        mutate(graph, draw)
        if seed % 2 and isinstance(graph["nodes"], Mapping) and graph["nodes"] and isinstance(graph["edges"], list):
            with contextlib.suppress(TypeError):  # a second one may hit what is no dict any more
                mutate(graph, draw)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from_nir(Graph(graph), 1.0, strict=draw.random() < 0.5)
        except DendrixError as error:
            refused += 1
            assert "\n" not in str(error), seed  # noqa: PT017
    assert refused > 50
