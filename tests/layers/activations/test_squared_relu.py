"""The squared ReLU is what its name says."""

import torch

from dendrix.layers.activations.squared_relu import squared_relu


def test_equals_its_definition_to_the_bit() -> None:
    x = torch.randn(1000, requires_grad=True)
    upstream = torch.randn(1000)
    found, expected = squared_relu(x), torch.relu(x) ** 2
    assert torch.equal(found, expected)
    assert torch.equal(torch.autograd.grad(found, x, upstream)[0], torch.autograd.grad(expected, x, upstream)[0])


def test_second_derivatives_backward_and_of_torch_func() -> None:
    x = torch.randn(5, dtype=torch.float64)
    assert torch.autograd.gradgradcheck(squared_relu, x.clone().requires_grad_())
    expected = torch.diag(2 * (x > 0).double())
    assert torch.equal(torch.func.hessian(lambda x: squared_relu(x).sum())(x), expected)
