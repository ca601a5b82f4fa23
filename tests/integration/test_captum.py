"""captum: attributions to inputs, and to a layer inside a network, whose outputs an identity after it shows."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dendrix.layers import DelayLinear, Sequential
from dendrix.neurons import LI, LIF

attr = pytest.importorskip("captum.attr", reason="needs captum: pip install captum")


@pytest.fixture
def network() -> Sequential:
    return Sequential(DelayLinear(12, 64, 50.0, 10.0), LIF(64), DelayLinear(64, 3, 50.0, 10.0), LI(3)).eval()


@pytest.fixture
def x() -> Tensor:
    return 4 * torch.rand(5, 20, 12)


def test_integrated_gradients_of_a_network_without_spikes_are_complete(x: Tensor) -> None:
    network = Sequential(DelayLinear(12, 8, 50.0, 10.0), LI(8)).eval()

    def score(x: Tensor) -> Tensor:
        return network(x)[0].mean(1)

    shares = attr.IntegratedGradients(score).attribute(x, target=1)
    assert_close(shares.sum((1, 2)), score(x)[:, 1] - score(torch.zeros_like(x))[:, 1], rtol=1e-3, atol=1e-3)


def test_integrated_gradients_through_spikes(network: Sequential, x: Tensor) -> None:
    shares = attr.IntegratedGradients(lambda x: network(x)[0].mean(1)).attribute(x, target=1)
    assert shares.shape == x.shape
    assert shares.abs().max() > 0


def test_layers_inside_a_network(network: Sequential, x: Tensor) -> None:
    shown = Sequential(*network.stages[:2], nn.Identity(), *network.stages[2:])
    spikes = shown.stages[2]

    def score(x: Tensor) -> Tensor:
        return shown(x)[0].mean(1)

    expected = Sequential(*network.stages[:2])(x)[0]
    assert torch.equal(attr.LayerActivation(score, spikes).attribute(x), expected)
    shares = attr.LayerGradientXActivation(score, spikes).attribute(x, target=1)
    (gradient,) = torch.autograd.grad(Sequential(*network.stages[2:])(expected.requires_grad_())[0].mean(1)[:, 1].sum(), expected)
    assert_close(shares, gradient * expected)
