"""Networks as graphs: order, cycles, and what is refused."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import dendrix
from dendrix.exchange import GraphNetwork
from dendrix.exchange.delay_line import DelayLine
from dendrix.exchange.network import components, groups
from dendrix.layers import PerStep
from dendrix.neurons import NIRNeuron


def graphs(count: int) -> st.SearchStrategy[list[tuple[str, str]]]:
    names = [str(i) for i in range(count)]
    return st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), unique=True, max_size=3 * count)


def reachable(edges: list[tuple[str, str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for target in [target for source, target in edges if source == waiting[-1] and target not in found]:
            found.add(target)
            waiting.insert(0, target)
        waiting.pop()
    return found


@given(graphs(7))
def test_components_are_cycles_in_topological_order(edges: list[tuple[str, str]]) -> None:
    names = [str(i) for i in range(7)]
    parts = components(names, edges)
    assert sorted(name for part in parts for name in part) == names
    place = {name: i for i, part in enumerate(parts) for name in part}
    assert all(place[source] <= place[target] for source, target in edges)
    for a in names:
        for b in names:
            if a != b:
                assert (place[a] == place[b]) == (b in reachable(edges, a) and a in reachable(edges, b))


def test_a_cycle_without_feedback_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle 'a' -> 'b': expected a neuron in it"):
        groups(["a", "b"], [("a", "b"), ("b", "a")], [])


def test_a_node_needs_an_input() -> None:
    with pytest.raises(ValueError, match="node 'a': expected an edge into it that is no feedback"):
        GraphNetwork({"a": NIRNeuron(2)}, [("a", "y")], {"x": (2,)}, {"y": (2,)}, [("a", "a")])


@pytest.mark.parametrize("depth", [1, 3000])
def test_depth_does_not_matter(depth: int) -> None:
    names = [str(i) for i in range(depth)]
    assert components(names[::-1], list(pairwise(names))) == [[name] for name in names]


def test_a_graph_is_saved_and_read(tmp_path: object) -> None:
    layers = {"in.w": PerStep(nn.Linear(3, 4)), "n": NIRNeuron(4), "late": DelayLine([0, 1, 2, 1]), "back": PerStep(nn.Linear(4, 4))}
    edges = [("x", "in.w"), ("in.w", "n"), ("n", "late"), ("late", "back"), ("n", "y"), ("in.w", "y")]
    network = GraphNetwork(layers, edges, {"x": (3,)}, {"y": (4,)}, [("back", "n")]).eval()
    dendrix.save(network, str(tmp_path))
    x = torch.randn(2, 12, 3)
    assert torch.equal(dendrix.load(str(tmp_path))(x)[0], network(x)[0])


def test_a_state_of_another_network_is_refused() -> None:
    network = GraphNetwork({"n": NIRNeuron(2)}, [("x", "n"), ("n", "y")], {"x": (2,)}, {"y": (2,)})
    for wrong in ((), {"m": None}):
        with pytest.raises(ValueError, match="state: expected a dict with 1 states by node"):
            network(torch.zeros(1, 2, 2), wrong)


@pytest.mark.parametrize("wrong", [[-1], [0.5], []])
def test_delays_are_whole_steps(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="lags: expected whole numbers"):
        DelayLine(wrong)


def test_signals_are_delayed_each_by_itself() -> None:
    x = torch.arange(10.0).view(1, 5, 2)
    assert DelayLine([1, 3])(x)[0][0].tolist() == [[0, 0], [0, 0], [2, 0], [4, 1], [6, 3]]
    assert torch.equal(DelayLine(2)(torch.ones(1, 3, 2, 2))[0].flatten(2).sum(2), torch.tensor([[0.0, 0, 4]]))
    with pytest.raises(ValueError, match=r"x: expected \[B, T, 2\], got \[1, 5, 3\]"):
        DelayLine([1, 3])(torch.zeros(1, 5, 3))
