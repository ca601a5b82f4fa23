"""Delay layers in graphs without metadata."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from dendrix.exchange import GraphNetwork, from_nir, to_nir
from dendrix.exchange.delay_line import DelayLine
from dendrix.exchange.delay_patterns import with_delay_layers
from dendrix.layers import BatchNorm, DelayLinear, PerStep, Sequential
from dendrix.neurons import LI


@pytest.mark.parametrize("construction", ["lag-rows", "branches", "synapses"])
@pytest.mark.parametrize("granularity", ["axonal", "dendritic", "synaptic"])
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.integers(1, 12), st.integers(0, 2**31))
@example(1, 1, 1, 2, 419113)
@settings(max_examples=15, deadline=None)
def test_constructions_become_delay_layers_again(
    construction: str, granularity: str, into: int, out: int, count: int, lags: int, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = DelayLinear(into, out, 10.0 * lags, 10.0, kernel_count=count, granularity=granularity, train_delays=False)
    with torch.no_grad():
        layer.weight.copy_((layer.weight * 64).round() / 64)
    original = Sequential(layer, LI(out, 20.0, 10.0))
    network = from_nir(to_nir(original, construction=construction, compact=False))
    x = torch.randint(-3, 4, (2, 25, into)).float()
    if not layer.integer_delay().any():  # plain nodes say the same
        assert_close(network(x)[0], original(x)[0])
        return
    assert isinstance(network, Sequential)
    assert isinstance(network.stages[0], DelayLinear)
    assert torch.equal(network.stages[0](x)[0], layer(x)[0])


def test_large_layers_keep_their_size() -> None:
    layer = DelayLinear(64, 32, 250.0, 10.0, train_delays=False)
    back = from_nir(to_nir(layer, compact=False))
    assert isinstance(back, Sequential)
    (found,) = back.stages
    assert torch.equal(found.integer_delay(), layer.integer_delay())
    assert torch.equal(found.weight, layer.weight)


def test_a_folded_bias_stays_beside_the_delays() -> None:
    norm = BatchNorm(5)
    norm.running_mean.uniform_(-1, 1)
    network = Sequential(DelayLinear(4, 5, 60.0, 10.0, train_delays=False), norm, LI(5, 20.0, 10.0)).eval()
    back = from_nir(to_nir(network, compact=False))
    assert sum(isinstance(layer, DelayLinear) for layer in back.modules()) == 1
    x = torch.rand(2, 20, 4)
    torch.testing.assert_close(back(x)[0], network(x)[0])


@pytest.mark.parametrize(
    "edges",
    [
        [("x", "d"), ("d", "w"), ("w", "y"), ("d", "y")],  # what is delayed is read elsewhere
        [("x", "d"), ("x", "w"), ("d", "w"), ("w", "y")],  # the weights get something else too
    ],
)
def test_what_is_used_elsewhere_stays(edges: list[tuple[str, str]]) -> None:
    layers = {"d": DelayLine([0, 1, 2]), "w": PerStep(nn.Linear(3, 3, bias=False))}
    network = GraphNetwork(layers, edges, {"x": (3,)}, {"y": (3,)})
    found = with_delay_layers(network, 1.0)
    x = torch.rand(2, 10, 3)
    torch.testing.assert_close(found(x)[0], network(x)[0])
    assert not any(isinstance(layer, DelayLinear) for layer in found.modules())


def test_parallel_weights_join_the_layer() -> None:
    """A direct way beside a delayed one is a synapse without a delay."""
    layers = {"d": DelayLine(2), "w": PerStep(nn.Linear(3, 2, bias=False)), "v": PerStep(nn.Linear(3, 2, bias=False))}
    network = GraphNetwork(layers, [("x", "d"), ("d", "w"), ("x", "v"), ("w", "y"), ("v", "y")], {"x": (3,)}, {"y": (2,)})
    found = with_delay_layers(network, 1.0)
    x = torch.rand(2, 10, 3)
    torch.testing.assert_close(found(x)[0], network(x)[0])
    (layer,) = found.layers
    assert np.array_equal(np.unique(layer.integer_delay()), [0, 2])
