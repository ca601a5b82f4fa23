"""The squared ReLU is what its name says."""

import pytest
import torch

from dendrix.layers.activations.squared_relu import squared_relu


def test_equals_its_definition_to_the_bit() -> None:
    x = torch.randn(1000, requires_grad=True)
    upstream = torch.randn(1000)
    found, expected = squared_relu(x), torch.relu(x) ** 2
    assert torch.equal(found, expected)
    assert torch.equal(torch.autograd.grad(found, x, upstream)[0], torch.autograd.grad(expected, x, upstream)[0])


def test_a_second_derivative_is_refused_and_not_wrong() -> None:
    x = torch.ones(3, requires_grad=True)
    (gradient,) = torch.autograd.grad((squared_relu(x) ** 2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
