"""Active dendrites: the strongest segment gates, signed; it alone learns; errors of the gates as the theory says."""

import pytest
import torch
from torch.testing import assert_close

from dendrix.layers import ActiveDendrites
from support.sparse_codes import assert_rate, moved, random_codes


def test_the_strongest_segment_gates_with_its_sign() -> None:
    layer = ActiveDendrites(2, context_size=2, segments=2)
    with torch.no_grad():
        layer.response.weight.copy_(torch.tensor([[1.0, 0], [-3.0, 0], [2.0, 0], [0.5, 0]]))
    y, state = layer(torch.ones(1, 1, 2), context=torch.tensor([[[1.0, 0]]]))
    assert_close(y.flatten(), torch.tensor([-3.0, 2.0]).sigmoid())
    assert state == ()


@pytest.mark.parametrize("rows", [1, 64], ids=["few contexts", "many contexts"])
@pytest.mark.parametrize("density", [1.0, 0.5])
def test_only_the_winner_learns_as_from_the_plain_formula(rows: int, density: float) -> None:
    layer = ActiveDendrites(5, context_size=8, segments=3, density=density).double()
    context = torch.randn(rows, 8, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(rows, 5, dtype=torch.float64)
    (layer.gate(context) * weights).sum().backward()
    gradients = layer.response.weight.grad, context.grad
    layer.zero_grad()
    context.grad = None
    responses = torch.einsum("usd,bd->bus", layer.response.dense_weight().view(5, 3, 8), context)
    winner = torch.nn.functional.one_hot(responses.abs().argmax(-1), 3)
    ((responses * winner).sum(-1).sigmoid() * weights).sum().backward()
    assert_close(gradients, (layer.response.weight.grad, context.grad))
    if rows == 1:
        assert (layer.response.weight.grad.view(5, 3, -1).abs().sum(-1) > 0).sum(1).tolist() == [1] * 5


def test_one_context_for_all_equals_one_for_each() -> None:
    layer, x, context = ActiveDendrites(4, 6, 3), torch.randn(5, 2, 4), torch.randn(1, 1, 6)
    assert_close(layer(x, context=context)[0], layer(x, context=context.expand(5, 2, 6))[0])
    assert_close(layer.step(x[:, 0], None, context[0].expand(5, 6))[0], layer(x, context=context)[0][:, 0])


def test_a_missing_or_misshapen_context_is_refused() -> None:
    layer, x = ActiveDendrites(4, 6, 3), torch.randn(5, 2, 4)
    for call in (lambda: layer(x), lambda: layer.step(x[:, 0])):
        with pytest.raises(ValueError, match=r"context: expected \[B, T, 6\], got None"):
            call()
    for shape in [(5, 2, 7), (2, 5, 6), (5, 6)]:
        with pytest.raises(ValueError, match="context: expected"):
            layer(x, context=torch.randn(shape))
    with pytest.raises(ValueError, match=r"context: expected \[..., 6\]"):
        layer.gate(torch.randn(3, 5))


def open_gates(layer: ActiveDendrites, contexts: torch.Tensor, theta: int) -> torch.Tensor:
    """Which units let sigmoid(theta) or more through, once all synapses have weight one, bool [N, C]."""
    torch.nn.init.ones_(layer.response.weight)
    return layer.gate(contexts) > torch.sigmoid(torch.tensor(theta - 0.5))


def test_gates_open_by_chance_as_predicted() -> None:
    layer = ActiveDendrites(200, 60, segments=5, density=0.1)
    assert_rate(open_gates(layer, random_codes(500, 60, 9), theta=4), layer.theory(active=9, theta=4).false_positive)


def test_gates_miss_a_known_context_as_predicted() -> None:
    layer, contexts = ActiveDendrites(3000, 60, segments=4, density=0.1), random_codes(3000, 60, 10)
    sampled = (torch.rand(3000, 60) + contexts).topk(6).indices
    layer.response.inputs.view(3000, 4, 6)[:, 2] = sampled  # one of each unit's segments knows the context
    hits = open_gates(layer, moved(contexts, 4), theta=4).diagonal()
    predicted = layer.theory(active=10, theta=4, moved=4).false_negative
    assert_rate(~hits, predicted)
