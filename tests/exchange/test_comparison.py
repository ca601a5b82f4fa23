"""The same graph in all dialects, and where they part."""

import numpy as np
import pytest
import torch

from dendrix.exchange import DIALECTS, Graph, Node, compare
from dendrix.exchange.drawing import draw, rows
from support.nir_graphs import SIZE, affine, chain_graph, end, neuron, row


def found(graph: Graph, dialect: str, **asked: object) -> object:
    comparison = compare(graph, 1.0, **asked)
    return next(one for one in comparison.dialects if one.dialect == dialect)


def test_every_dialect_has_its_row() -> None:
    comparison = compare(chain_graph("LIF", r=10.0), 1.0)
    assert [one.dialect for one in comparison.dialects] == list(DIALECTS)
    assert (comparison.reference, comparison.rows, comparison.steps) == ("nir", 4, 100)
    assert comparison.dialects[0].layers[0].spikes > 0
    assert comparison.dialects[0].layers[0].mismatches == 0
    assert comparison.dialects[0].changed == 0


def test_the_first_difference_is_where_it_is() -> None:
    """A membrane that meets its threshold exactly fires only where ties do."""
    graph = row(("x", end("Input", 2)), ("n", neuron("IF", 2, r=1e3, v_threshold=1.0)), ("y", end("Output", 2)))
    x = torch.zeros(3, 10, 2)
    x[1, 4, 1] = 1
    (layer,) = found(graph, "spikingjelly", x=x).layers
    assert (layer.name, layer.spikes, layer.mismatches, layer.first) == ("n", 1, 1, (1, 4, 1))
    assert any(cause.startswith("Ties") and " 1 values" in cause for cause in compare(graph, 1.0, x).causes)


def test_a_late_layer_is_compared_at_its_shift() -> None:
    graph = row(
        ("x", end("Input", 3)),
        ("w", Node("Linear", {"weight": np.ones((SIZE, 3))})),
        ("a", neuron("IF", r=1e3, v_threshold=1.5)),
        ("v", Node("Linear", {"weight": np.eye(SIZE)})),
        ("b", neuron("IF", r=1e3, v_threshold=0.5)),
        ("y", end("Output", SIZE)),
    )
    layers = found(graph, "lava", steps=50).layers
    assert [layer.shift for layer in layers] == [0, 1]
    assert [layer.mismatches for layer in layers] == [0, 0]
    assert layers[1].spikes > 0


def test_a_refusal_has_its_reason() -> None:
    one = found(chain_graph("LI"), "spikingjelly")
    assert "its import has no LI" in one.refused
    assert one.layers == ()


@pytest.mark.parametrize(
    ("graph", "asked", "cause"),
    [
        (chain_graph("LIF", r=20.0), {}, "Reset: a soft one"),
        (chain_graph("LIF", r=20.0), {"reset": "soft"}, "Reset: a hard one"),
        (chain_graph("LIF", r=40.0), {}, "Several spikes in a step"),
        (chain_graph("LIF", v_leak=0.1), {}, "'neuron': v_leak is not 0"),
        (chain_graph("LIF", tau=4e-3), {}, "'neuron': a step is 0.25 of tau, where Euler's decay is 0.029 below"),
        (chain_graph("LIF"), {}, "'neuron': one unit of input moves the membrane by 0.1"),
    ],
)
def test_causes_are_told(graph: Graph, asked: dict[str, str], cause: str) -> None:
    assert any(told.startswith(cause) for told in compare(graph, 1.0, **asked).causes)


def test_input_of_ones_own_must_fit() -> None:
    with pytest.raises(ValueError, match=r"x: expected \[B, T, 3\], got \[1, 2, 4\]"):
        compare(chain_graph("LIF"), 1.0, torch.zeros(1, 2, 4))


def test_decisions() -> None:
    """Two neurons, of which the second one wins where the reset is soft: it keeps what is above the threshold."""
    node = neuron("IF", 2, r=1e3, v_threshold=np.array([1.0, 1.9]))
    graph = row(("x", end("Input", 2)), ("n", node), ("y", end("Output", 2)))
    x = torch.tensor([0.75, 1.8]).expand(1, 24, 2)  # hard: every second step each; soft: 0.75 and 0.95 of all steps
    assert found(graph, "nir", x=x).changed == 0
    assert found(graph, "paper", x=x).changed == 1


def test_a_drawing_shows_chains_and_feedback() -> None:
    nodes = {"x": end("Input", 2), "n": neuron("LIF", 2), "w": affine(2, 2), "y": end("Output", 2)}
    graph = Graph(nodes, (("x", "n"), ("n", "w"), ("w", "n"), ("n", "y")))
    assert sorted(draw(graph)) == ["n → w", "n → y", "w → n, one step later", "x → n"]
    assert draw(chain_graph("LIF")) == ["input → affine → neuron → output"]
    table = {name: (kind, told) for name, kind, told in rows(graph)}
    assert table["x"] == ("Input", "shape [2]")
    assert table["n"][1].startswith("tau 0.01 0.01, r 1 1, v_leak 0 0")
