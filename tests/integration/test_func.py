"""torch.func: per-sample gradients and Jacobians, at sizes where a kernel would run."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, vmap
from torch.testing import assert_close

from dendrix import use_kernels
from dendrix.layers import DelayLinear, Sequential
from dendrix.neurons import LI, LIF


@pytest.fixture
def network() -> Sequential:
    return Sequential(DelayLinear(32, 64, 100.0, 10.0), LIF(64), DelayLinear(64, 64, 100.0, 10.0), LI(64))


def loss(network: nn.Module, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    """Of one sample, [T, C]."""
    return functional_call(network, parameters, (x.unsqueeze(0),))[0].square().mean()


@pytest.mark.parametrize("mode", ["auto", "reference"])
def test_per_sample_gradients_equal_those_of_one_sample_each(network: Sequential, mode: str) -> None:
    x, parameters = 4 * torch.rand(3, 70, 32), dict(network.named_parameters())
    expected = []
    for sample in x:  # kernels run here
        network.zero_grad()
        network(sample.unsqueeze(0))[0].square().mean().backward()
        expected.append({name: p.grad.clone() for name, p in network.named_parameters()})
    with use_kernels(mode):
        found = vmap(grad(lambda p, x: loss(network, p, x)), (None, 0))({name: p.detach() for name, p in parameters.items()}, x)
    for name, gradients in found.items():
        assert_close(gradients, torch.stack([one[name] for one in expected]), rtol=1e-4, atol=1e-6)


def test_jacobian(network: Sequential) -> None:
    x = 4 * torch.rand(1, 70, 32)
    found = jacrev(lambda x: network(x)[0].mean(1))(x)
    x.requires_grad_()
    y = network(x)[0].mean(1)
    assert_close(found[0, 5, 0], torch.autograd.grad(y[0, 5], x)[0][0], rtol=1e-4, atol=1e-6)


def test_an_ensemble_of_networks(network: Sequential) -> None:
    networks = [network, Sequential(DelayLinear(32, 64, 100.0, 10.0), LIF(64), DelayLinear(64, 64, 100.0, 10.0), LI(64))]
    parameters, buffers = torch.func.stack_module_state(networks)
    x = 4 * torch.rand(3, 70, 32)
    found = vmap(lambda p, b: functional_call(network, (p, b), (x,))[0])(parameters, buffers)
    assert_close(found, torch.stack([one(x)[0] for one in networks]), rtol=1e-4, atol=1e-5)
