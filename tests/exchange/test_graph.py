"""The structure of graphs: subgraphs, cycles, and what is wrong with a graph in one sentence."""

import math
from itertools import pairwise
from typing import Any

import nir
import numpy as np
import pytest
import torch

from dendrix.core import Stateful
from dendrix.exchange import Graph, GraphNetwork, Node, build_graph, from_nir, read_graph, reading_of
from dendrix.layers import Recurrent, RecurrentDelay, Sequential
from support.nir_graphs import SIZE, affine, chain_graph, end, neuron, row


class Described:
    """What a `nir.NIRGraph` looks like from outside."""

    def __init__(self, **parts: Any) -> None:
        self.parts = parts

    def to_dict(self) -> dict[str, Any]:
        return self.parts


def described(graph: Graph) -> dict[str, Any]:
    nodes = {name: {"type": node.type, **node.params} for name, node in graph.nodes.items()}
    return {"type": "NIRGraph", "nodes": nodes, "edges": [list(edge) for edge in graph.edges]}


def linear(*weights: list[float]) -> Node:
    return Node("Linear", {"weight": np.array(weights)})


def loop(*delays: int) -> Graph:
    """One neuron that excites itself through delays, in steps of 1 ms."""
    nodes = {"in": end("Input", 1), "n": neuron("IF", 1, r=1e3, v_threshold=0.5), "w": linear([1.0]), "out": end("Output", 1)}
    names = [f"d{i}" for i in range(len(delays))]
    nodes |= {name: Node("Delay", {"delay": np.array([lag * 1e-3])}) for name, lag in zip(names, delays, strict=True)}
    path = ["n", *names, "w", "n"]
    return Graph(nodes, (("in", "n"), ("n", "out"), *pairwise(path)))


@pytest.mark.parametrize(("delays", "period"), [((), 1), ((0,), 1), ((1,), 2), ((2,), 3), ((1, 2), 4)])
def test_feedback_takes_a_step_and_its_delays(delays: tuple[int, ...], period: int) -> None:
    x = torch.zeros(1, 20, 1)
    x[0, 0] = 1
    y, _ = from_nir(loop(*delays), 1.0)(x)
    assert y.flatten().nonzero().flatten().tolist() == list(range(0, 20, period))


def test_simple_feedback_becomes_a_recurrent_layer() -> None:
    network = from_nir(loop(), 1.0)
    assert isinstance(network, Sequential)
    assert isinstance(network.stages[0], Recurrent)
    assert isinstance(from_nir(loop(2), 1.0).stages[0], RecurrentDelay)


def test_feedback_through_two_neurons_takes_one_step_in_all() -> None:
    nodes = {"in": end("Input", 1), "a": neuron("IF", 1, r=1e3, v_threshold=0.5), "b": neuron("IF", 1, r=1e3, v_threshold=0.5)}
    nodes |= {"w": linear([1.0]), "back": linear([1.0]), "out": end("Output", 1)}
    graph = Graph(nodes, (("in", "a"), ("a", "w"), ("w", "b"), ("b", "back"), ("back", "a"), ("b", "out")))
    x = torch.zeros(1, 4, 1)
    x[0, 0] = 1
    y, _ = from_nir(graph, 1.0)(x)
    assert y.flatten().tolist() == [1, 1, 1, 1]


def test_the_bias_of_feedback_acts_from_the_first_step() -> None:
    nodes = {"in": end("Input", 1), "n": neuron("I", 1, r=1e3), "w": Node("Affine", {"weight": np.zeros((1, 1)), "bias": np.ones(1)})}
    nodes |= {"s": Node("Scale", {"scale": np.ones(1)}), "out": end("Output", 1)}
    edges = (("in", "n"), ("n", "w"), ("w", "s"), ("s", "n"), ("n", "out"))
    x = torch.zeros(1, 4, 1)
    assert isinstance(network := from_nir(Graph(nodes, edges), 1.0), GraphNetwork)
    assert network(x)[0].flatten().tolist() == [1, 2, 3, 4]


def test_residuals_inputs_and_outputs() -> None:
    """y = a + 2 b, z = b, of inputs a [2] and b [2]."""
    nodes = {"a": end("Input", 2), "b": end("Input", 2), "twice": Node("Scale", {"scale": np.full(2, 2.0)})}
    nodes |= {"one": Node("Scale", {"scale": np.ones(2)}), "y": end("Output", 2), "z": end("Output", 2)}
    graph = Graph(nodes, (("a", "y"), ("b", "twice"), ("twice", "y"), ("b", "one"), ("one", "z")))
    x = torch.rand(3, 5, 4)
    y, _ = from_nir(graph, 1.0)(x)
    torch.testing.assert_close(y, torch.cat([x[..., :2] + 2 * x[..., 2:], x[..., 2:]], 2))


def test_subgraphs_are_dissolved() -> None:
    inner = row(("input", end("Input", SIZE)), ("lif", neuron("LIF")), ("output", end("Output", SIZE)))
    outer = described(row(("x", end("Input", 3)), ("w", affine()), ("part", neuron("LIF")), ("y", end("Output", SIZE))))
    outer["nodes"]["part"] = described(inner)
    network = build_graph(read := read_graph(Described(**outer)), reading_of(read, 1.0))
    assert network.names == ("w", "part.lif")
    x = torch.rand(2, 10, 3) * 3
    assert torch.equal(network(x)[0], from_nir(chain_graph("LIF"), 1.0)(x)[0])


def test_a_subgraph_has_one_way_in_and_out() -> None:
    inner = described(row(("lif", neuron("LIF")), ("output", end("Output", SIZE))))
    outer = described(chain_graph("LIF"))
    outer["nodes"]["neuron"] = inner
    with pytest.raises(ValueError, match="subgraph 'neuron': expected one node of type Input, got 0"):
        read_graph(Described(**outer))


NODES: dict[str, Node] = {
    "Affine": affine(2, 4),
    "Linear": linear([1.0, 2, 3, 4], [0, 1, 0, 1]),
    "Scale": Node("Scale", {"scale": np.arange(4.0)}),
    "Threshold": Node("Threshold", {"threshold": np.full(4, 0.5)}),
    "Delay": Node("Delay", {"delay": np.array([0, 1e-3, 2e-3, 0])}),
    **{kind: neuron(kind) for kind in ("I", "IF", "LI", "LIF", "CubaLI", "CubaLIF")},
}


@pytest.mark.parametrize("kind", NODES)
def test_nodes_on_rows(kind: str) -> None:
    graph = row(("x", end("Input", 4)), ("n", NODES[kind]), ("y", end("Output", 2 if kind in ("Affine", "Linear") else 4)))
    network = from_nir(graph, 1.0)
    x = torch.rand(2, 6, 4)
    y, _ = network(x)
    expected = {
        "Affine": lambda: (
            x @ torch.tensor(NODES["Affine"].params["weight"].T).float() + torch.tensor(NODES["Affine"].params["bias"]).float()
        ),
        "Linear": lambda: x @ torch.tensor(NODES["Linear"].params["weight"].T).float(),
        "Scale": lambda: x * torch.arange(4.0),
        "Threshold": lambda: (x > 0.5).float(),
        "Delay": lambda: torch.stack(
            [torch.roll(x[..., i], lag, 1).index_fill(1, torch.arange(lag), 0) for i, lag in enumerate((0, 1, 2, 0))], 2
        ),
        "I": lambda: x.cumsum(1) * 1e-3,
    }
    assert isinstance(network, Stateful)
    if kind in expected:
        torch.testing.assert_close(y, expected[kind]())


@pytest.mark.parametrize("padding", [np.array([1, 2]), "same", "valid"])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_as_in_torch(padding: Any, groups: int) -> None:
    """With kernels that are not square, whose output shape the package itself gets wrong."""
    weight, bias = torch.randn(4, 2 // groups, 3, 5), torch.randn(4)
    stride = 1 if isinstance(padding, str) else 2
    params = {"weight": weight.numpy(), "bias": bias.numpy(), "padding": padding, "groups": np.array(groups)}
    node = Node("Conv2d", params | {"stride": np.array([stride, stride]), "dilation": np.array([1, 1])})
    x = torch.randn(2, 3, 2, 8, 9)
    how = padding if isinstance(padding, str) else tuple(padding.tolist())
    expected = torch.nn.functional.conv2d(x.flatten(0, 1), weight, bias, stride, how, 1, groups).unflatten(0, (2, 3))
    graph = row(("x", end("Input", 2, 8, 9)), ("c", node), ("y", end("Output", *expected.shape[2:])))
    torch.testing.assert_close(from_nir(graph, 1.0)(x)[0], expected)


def test_pools_and_flattening() -> None:
    sizes = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2]), "padding": np.array([0, 0])}
    flat = Node("Flatten", {"start_dim": np.array(1), "end_dim": np.array(-1)})
    graph = row(
        ("x", end("Input", 3, 8, 8)),
        ("sum", Node("SumPool2d", sizes)),
        ("mean", Node("AvgPool2d", sizes)),
        ("flat", flat),
        ("y", end("Output", 3, 4)),
    )
    x = torch.rand(2, 3, 3, 8, 8)
    windows = x.unflatten(3, (2, 2, 2)).unflatten(6, (2, 2, 2)).sum((4, 5, 7, 8)).div(4)
    torch.testing.assert_close(from_nir(graph, 1.0)(x)[0], windows.flatten(3))


def test_neurons_of_a_map_have_parameters_of_their_own() -> None:
    threshold = np.linspace(0.1, 2, 2 * 3 * 3).reshape(2, 3, 3)
    node = Node("IF", {"r": np.full((2, 3, 3), 1e3), "v_threshold": threshold, "v_reset": np.zeros((2, 3, 3))})
    graph = row(("x", end("Input", 2, 3, 3)), ("n", node), ("y", end("Output", 2, 3, 3)))
    y, _ = from_nir(graph, 1.0)(torch.ones(1, 1, 2, 3, 3))
    assert torch.equal(y[0, 0], torch.tensor(threshold < 1).float())


def change(**parts: Any) -> dict[str, Any]:
    """A chain with the neuron's parameters changed; None removes one."""
    graph = described(chain_graph("LIF"))
    node = graph["nodes"]["neuron"]
    node |= parts
    graph["nodes"]["neuron"] = {name: value for name, value in node.items() if value is not None}
    return graph


def edges(*given: tuple[str, str]) -> dict[str, Any]:
    return described(chain_graph("LIF")) | {"edges": list(given)}


def convolution(channels: int) -> Node:
    """Four kernels of 3 x 3."""
    pairs = {"stride": np.array([1, 1]), "padding": np.array([0, 0]), "dilation": np.array([1, 1])}
    return Node("Conv2d", {"weight": np.ones((4, channels, 3, 3)), "bias": np.zeros(4), "groups": np.array(1), **pairs})


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown type": (change(type="Izhikevich"), r"node 'neuron': expected a node type of NIR, got 'Izhikevich'"),
    "no type": (change(type=None), "node 'neuron': expected a type"),
    "no tau": (change(tau=None), r"node 'neuron' \(LIF\): expected tau, which is missing"),
    "NaN": (change(r=np.full(4, np.nan)), r"node 'neuron' \(LIF\): expected finite numbers for r, got NaN"),
    "tau of 0": (change(tau=np.zeros(4)), r"node 'neuron' \(LIF\): expected tau above 0, got 0"),
    "words": (change(tau="long"), r"node 'neuron' \(LIF\): expected numbers for tau, got 'long'"),
    "shapes": (change(r=np.ones(3)), r"node 'neuron' \(LIF\): expected parameters of one shape, got tau \[4\], r \[3\]"),
    "empty": (change(r=np.ones((4, 0))), r"node 'neuron' \(LIF\): expected numbers for r, got none"),
    "sizes": (
        described(row(("x", end("Input", 5)), ("w", affine()), ("y", end("Output", 4)))),
        r"node 'w' \(Affine\): expected input of shape \[3\], as its weight has, got \[5\]",
    ),
    "a missing node": (edges(("input", "affine"), ("affine", "gone"), ("neuron", "output")), "'affine' -> 'gone': expected a node 'gone'"),
    "an edge twice": (edges(("input", "affine"), ("input", "affine")), "edge 'input' -> 'affine': expected it once, got it twice"),
    "no edges": ({"nodes": {}}, "graph: expected 'edges', which is missing"),
    "no input": (
        {"nodes": {"y": {"type": "Output", "shape": [1]}, "n": {"type": "Scale", "scale": [1.0]}}, "edges": [("n", "y")]},
        "expected a node of type Input, got none",
    ),
    "no way in": (edges(("neuron", "output"), ("input", "affine")), r"node 'neuron' \(LIF\): expected an edge into it, got none"),
    "a negative delay": (
        {"nodes": {"d": {"type": "Delay", "delay": np.array([-1e-3])}}, "edges": []},
        r"node 'd' \(Delay\): expected delay of at least 0, got -0.001",
    ),
    "an absurd size": (
        described(row(("x", end("Input", 10**6, 10**6)), ("s", Node("Scale", {"scale": np.array(1.0)})), ("y", end("Output", 1)))),
        r"node 'x' \(Input\): expected a shape of at most 268,435,456 values",
    ),
    "an absurd delay": (
        described(row(("x", end("Input", 1)), ("d", Node("Delay", {"delay": np.array([1e9])})), ("y", end("Output", 1)))),
        r"node 'd' \(Delay\): expected at most 268,435,456 values to hold",
    ),
    "a delay off the grid": (
        described(row(("x", end("Input", 1)), ("d", Node("Delay", {"delay": np.array([1.5e-3])})), ("y", end("Output", 1)))),
        r"node 'd' \(Delay\): expected whole steps of 1 ms, got 1.5 steps",
    ),
    "NaN weights": (
        described(row(("x", end("Input", 3)), ("w", linear([1.0, math.nan, 0.0])), ("y", end("Output", 1)))),
        r"node 'w' \(Linear\): expected finite numbers for weight, got NaN",
    ),
    "no output": (
        {"nodes": {"x": {"type": "Input", "shape": [1]}, "n": {"type": "Scale", "scale": [1.0]}}, "edges": [("x", "n")]},
        "type Output",
    ),
    "a shape of nothing": (
        described(row(("x", end("Input", 0)), ("s", Node("Scale", {"scale": np.array(1.0)})), ("y", end("Output", 1)))),
        r"node 'x' \(Input\): expected a shape",
    ),
    "channels that do not meet": (
        described(row(("x", end("Input", 3, 8, 8)), ("c", convolution(2)), ("y", end("Output", 4, 8, 8)))),
        r"node 'c' \(Conv2d\): expected input with 3 axes and 2 channels, .* got \[3, 8, 8\]",
    ),
    "a map too small": (
        described(row(("x", end("Input", 2, 2, 2)), ("c", convolution(2)), ("y", end("Output", 4, 1, 1)))),
        r"node 'c' \(Conv2d\): expected input that fits its parameters, got \[2, 2, 2\]",
    ),
    "a delay of another size": (
        described(row(("x", end("Input", 4)), ("d", Node("Delay", {"delay": np.zeros(3)})), ("y", end("Output", 4)))),
        r"node 'd' \(Delay\): expected input of shape \[3\], as its parameters have, got \[4\]",
    ),
    "an output of another size": (
        described(row(("x", end("Input", 4)), ("s", Node("Scale", {"scale": np.ones(4)})), ("y", end("Output", 5)))),
        r"node 'y' \(Output\): expected input of shape \[5\], as it declares, got \[4\]",
    ),
    "feedback of another size": (
        {
            "nodes": {
                "x": {"type": "Input", "shape": [4]},
                "y": {"type": "Output", "shape": [4]},
                "w": {"type": "Linear", "weight": np.ones((3, 4))},
            }
            | {"n": {"type": "IF", "r": np.ones(4), "v_threshold": np.ones(4)}},
            "edges": [("x", "n"), ("n", "w"), ("w", "n"), ("n", "y")],
        },
        r"node 'n' \(IF\): expected inputs of one shape, got \[4\] from 'n', \[3\] from 'w'",
    ),
    "a cycle without a neuron": (
        {
            "nodes": {"x": {"type": "Input", "shape": [1]}, "y": {"type": "Output", "shape": [1]}}
            | {name: {"type": "Scale", "scale": np.ones(1)} for name in "23"},
            "edges": [("x", "2"), ("2", "3"), ("3", "2"), ("3", "y")],
        },
        "cycle through '2', '3': expected a neuron in it",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_sentence_with_the_name_of_the_node(name: str) -> None:
    graph, why = WRONG[name]
    with pytest.raises(ValueError, match=why) as raised:
        from_nir(Described(**graph), 1.0)
    assert "\n" not in str(raised.value)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="dt_ms: expected the time step in ms, which NIR does not say"):
        from_nir(chain_graph("LIF"))
    for dt_ms in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="dt_ms: expected a number"):
            from_nir(chain_graph("LIF"), dt_ms)
    with pytest.raises(ValueError, match=r"graph: expected the path of a .nir file or a nir.NIRGraph, got int"):
        read_graph(3)
    with pytest.raises(ValueError, match=r"x: expected \[B, T, 4\], got \[1, 2, 5\]"):
        build_graph(loop_free := row(("x", end("Input", 4)), ("n", neuron("LIF")), ("y", end("Output", 4))), reading_of(loop_free, 1.0))(
            torch.zeros(1, 2, 5)
        )


def test_old_files() -> None:
    """Without v_reset and w_in, these are 0 and 1; an unknown version and a lonely node are told."""
    graph = described(chain_graph("CubaLIF"))
    plain = from_nir(Described(**graph), 1.0)
    for name in ("v_reset", "w_in"):
        del graph["nodes"]["neuron"][name]
    graph["nodes"]["lonely"] = {"type": "Scale", "scale": np.ones(1)}
    with pytest.warns(UserWarning, match="node 'lonely': no edge leads to it or from it; dropped"):
        old = from_nir(Described(**graph), 1.0)
    x = torch.rand(1, 20, 3) * 4
    assert torch.equal(old(x)[0], plain(x)[0])


def test_a_graph_of_the_package() -> None:
    graph = nir.NIRGraph.from_list(nir.Linear(np.ones((2, 3))), nir.LIF(*(np.full(2, value) for value in (1e-2, 1.0, 0.0, 1.0))))
    network = from_nir(graph, 1.0)
    assert network(torch.ones(1, 3, 3))[0].shape == (1, 3, 2)
