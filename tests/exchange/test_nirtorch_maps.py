"""The nirtorch package with our maps: the same outputs as our own import and export."""

import nir
import nirtorch
import numpy as np
import pytest
import torch
from torch import nn

from dendrix.exchange import from_nir, nir_graph, to_nir
from dendrix.exchange.nirtorch_maps import STATEFUL, node_map, torch_map
from dendrix.layers import DelayLinear, Recurrent, Sequential
from dendrix.neurons import IF, LI, LIF, PLIF, CubaLIF
from support.nir_graphs import chain_graph

NETWORKS = {
    "neurons": Sequential(nn.Linear(3, 6), LIF(6), nn.Linear(6, 6), CubaLIF(6), PLIF(6), IF(6), LI(6)),
    "delays": Sequential(DelayLinear(3, 6, 60.0, 10.0, train_delays=False), LIF(6, 10.0, 10.0)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_nirtorch_runs_what_we_export(name: str) -> None:
    """Delays of a construction included; each node says how its neurons are reset."""
    dt_ms = 10.0 if name == "delays" else 1.0
    graph = to_nir(NETWORKS[name], dt_ms=dt_ms, compact=False)
    x = (torch.rand(2, 20, 3) < 0.4).float() * 2
    wanted, _ = from_nir(graph)(x)
    network = nirtorch.nir_to_torch(nir_graph(graph), node_map(dt_ms, "dendrix"))
    state, outputs = None, []
    for x_t in x.unbind(1):
        y, state = network(x_t, state)
        outputs.append(y)
    torch.testing.assert_close(torch.stack(outputs, 1), wanted)


def test_nirtorch_exports_our_modules() -> None:
    network = NETWORKS["neurons"].eval()
    graph = nirtorch.torch_to_nir(
        network, torch_map(1.0), default_dict=None, stateful_modules=set(STATEFUL), concrete_args={"state": None, "valid": None}
    )
    assert sorted(type(node).__name__ for node in graph.nodes.values()) == sorted(
        ["Input", "Affine", "LIF", "Affine", "CubaLIF", "LIF", "IF", "LI", "Output"]
    )
    (weight,) = [node.weight for node in graph.nodes.values() if isinstance(node, nir.Affine) and node.weight.shape == (6, 3)]
    assert np.array_equal(weight, network.stages[0].weight.detach().numpy())


def test_what_takes_several_nodes_is_a_subgraph() -> None:
    layers = torch_map(1.0)
    found = layers[Recurrent](Recurrent(LIF(4), nn.Linear(4, 4)))
    assert isinstance(found, nir.NIRGraph)
    assert sorted(type(node).__name__ for node in found.nodes.values()) == ["Affine", "Input", "LIF", "Output"]
    assert from_nir(found, 1.0)(torch.rand(1, 5, 4))[0].shape == (1, 5, 4)


@pytest.mark.parametrize("kind", ["I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"])
def test_every_neuron_has_a_module(kind: str) -> None:
    graph = chain_graph(kind)
    network = nirtorch.nir_to_torch(nir_graph(graph), node_map(1.0))
    x = torch.rand(2, 3)
    torch.testing.assert_close(network(x)[0], from_nir(graph, 1.0)(x.unsqueeze(1))[0].squeeze(1))
