"""The twin as a network: dense, without membranes, and counted like the derived twin."""

import pytest
import torch
from torch import nn

from dendrix.energy import make_twin, measure, twin_network
from dendrix.layers import LSQ, Recurrent, Sequential
from dendrix.models import DelayNet, DelayNetConfig
from dendrix.neurons import LI, LIF

CONFIG = DelayNetConfig(inputs=6, outputs=3, hidden=(8, 5), max_delay_ms=40.0, dt_ms=10.0)


def test_it_has_the_products_of_the_derived_twin() -> None:
    network, x = DelayNet(CONFIG), torch.rand(2, 9, 6)
    made, derived = measure(twin_network(network, 4), [x]), make_twin(measure(network, [x]), None).report
    assert [(layer.dense, layer.rows, layer.taps) for layer in made.layers] == [
        (layer.dense, layer.rows, layer.taps) for layer in derived.layers
    ]
    assert {layer.kind for layer in made.layers} == {"numbers"}
    assert [state.values for state in made.states] == [state.values for state in derived.states if state.values] == [3]
    assert made.rates == ()


def test_activations_have_the_bits_and_the_rest_is_copied() -> None:
    network = DelayNet(CONFIG)
    twin = twin_network(network, 2)
    activations = [stage for stage in twin.stages if isinstance(stage, LSQ)]
    assert len(activations) == 2
    assert len(activations[0](torch.linspace(-1, 9, 200).view(1, -1)).unique()) == 4
    assert isinstance(twin.stages[-1], LI)
    assert torch.equal(twin.stages[0].weight, network.stages[0].weight)
    assert twin.stages[0].weight is not network.stages[0].weight


def test_other_networks_are_refused() -> None:
    with pytest.raises(TypeError, match="expected a Sequential, got Linear"):
        twin_network(nn.Linear(2, 2))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got LIF inside a layer"):
        twin_network(Sequential(Recurrent(LIF(3), nn.Linear(3, 3))))
