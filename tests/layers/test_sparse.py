"""Sparse weights: as many as promised, of the right size, and the others stay absent whatever the optimiser does."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from dendrix.layers import SparseLinear
from support.sparse_codes import assert_rate, moved, random_codes

OPTIMISERS: dict[str, Callable[[Iterator[torch.nn.Parameter]], torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.1),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1),
}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_absent_weights_stay_exactly_zero(optimiser: str) -> None:
    layer = SparseLinear(30, 20, density=0.3)
    absent, start = layer.dense_weight() == 0, layer.dense_weight().detach().clone()
    assert absent.sum(1).tolist() == [21] * 20
    optimizer = OPTIMISERS[optimiser](layer.parameters())
    for _ in range(10):
        loss = (layer(torch.randn(4, 2, 30))[0] - 1).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = layer.dense_weight().detach()
    assert not after[absent].any()
    assert (after != start)[~absent].all()


def test_it_is_a_linear_layer_with_these_weights() -> None:
    layer, x = SparseLinear(12, 5, density=0.5).double(), torch.randn(3, 4, 12, dtype=torch.float64, requires_grad=True)
    weight = layer.dense_weight().detach().requires_grad_()
    expected = torch.nn.functional.linear(x, weight, layer.bias)
    torch.testing.assert_close(layer(x)[0], expected)
    layer(x)[0].square().sum().backward()
    gradient, x.grad = x.grad, None
    expected.square().sum().backward()
    torch.testing.assert_close(gradient, x.grad)
    torch.testing.assert_close(layer.weight.grad, weight.grad.gather(1, layer.inputs))


def test_full_density_is_a_plain_linear_layer() -> None:
    layer, x = SparseLinear(6, 3, density=1.0), torch.randn(2, 2, 6)
    assert layer.inputs is None
    torch.testing.assert_close(layer(x)[0], torch.nn.functional.linear(x, layer.weight, layer.bias))


def test_a_state_dict_brings_the_connections_back() -> None:
    layer, other = SparseLinear(16, 8), SparseLinear(16, 8)
    assert not torch.equal(layer.inputs, other.inputs)
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.dense_weight(), layer.dense_weight())


def test_weights_start_uniform_and_larger_for_sparse_inputs() -> None:
    weight = SparseLinear(400, 100, density=0.25, expected_density=0.04).weight.detach()
    bound = 1 / math.sqrt(0.04 * 0.25 * 400)
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    x = random_codes(500, 400, 16).unsqueeze(1)  # 4 % active: the output's variance is then 1 / 3
    layer = SparseLinear(400, 100, density=0.25, expected_density=0.04, bias=False)
    assert layer(x)[0].var().item() == pytest.approx(1 / 3, rel=0.1)


def overlaps(layer: SparseLinear, x: Tensor) -> Tensor:
    """How many of each output's synapses are active: what it computes once its weights are ones."""
    torch.nn.init.ones_(layer.weight)
    return layer(x.unsqueeze(1))[0].squeeze(1)


def test_matches_by_chance_are_as_predicted() -> None:
    layer = SparseLinear(60, 300, density=0.2, bias=False)
    assert_rate(overlaps(layer, random_codes(500, 60, 9)) >= 4, layer.theory(active=9, theta=4).false_positive)


@pytest.mark.parametrize(("a", "s", "theta", "v"), [(12, 8, 6, 4), (8, 20, 6, 4)], ids=["a sample of the code", "more than the code"])
def test_misses_are_as_predicted(a: int, s: int, theta: int, v: int) -> None:
    layer, codes = SparseLinear(60, 3000, density=s / 60, bias=False), random_codes(3000, 60, a)
    layer.inputs.copy_((torch.rand(3000, 60) + codes).topk(s).indices)
    hits = overlaps(layer, moved(codes, v)).diagonal() >= theta
    assert_rate(~hits, layer.theory(active=a, theta=theta, moved=v).false_negative)


@pytest.mark.parametrize("density", [0.0, 1.5, math.nan])
def test_impossible_densities_are_refused(density: float) -> None:
    with pytest.raises(ValueError, match=r"density: expected a number in \(0, 1\]"):
        SparseLinear(4, 4, density)
