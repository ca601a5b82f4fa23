"""k winners: who passes, who learns, how boosting shares the wins, and how well the codes can be told apart."""

import pytest
import torch

from dendrix.layers import KWinners
from support.sparse_codes import assert_rate


def test_the_largest_pass_unchanged_and_alone_learn() -> None:
    x = torch.tensor([[[0.5, -1.0, 2.0, 1.0]]], requires_grad=True)
    y, state = KWinners(4, 2)(x)
    assert y.tolist() == [[[0, 0, 2.0, 1.0]]]
    assert state == ()
    (y * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [[[0, 0, 3.0, 4.0]]]


def test_ties_still_give_exactly_k() -> None:
    y, _ = KWinners(10, 3)(torch.ones(4, 5, 10))
    assert (y.sum(-1) == 3).all()


def test_boosting_chooses_and_does_not_scale() -> None:
    layer = KWinners(2, 1, boost=2.0).eval()
    layer.duty_cycle.copy_(torch.tensor([0.9, 0.1]))
    y, _ = layer(torch.tensor([[[1.0, 0.5]]]))
    assert y.tolist() == [[[0, 0.5]]]  # exp(-0.8) * 1.0 < exp(0.8) * 0.5


def test_the_duty_cycle_moves_by_momentum_over_valid_steps_only() -> None:
    layer = KWinners(4, 1, momentum=0.5)
    x = torch.zeros(2, 2, 4)
    x[0, :, 0] = x[1, 0, 1] = x[1, 1, 2] = 1
    valid = torch.tensor([[True, True], [True, False]])
    layer(x, None, valid)
    torch.testing.assert_close(layer.duty_cycle, 0.5 * torch.full((4,), 0.25) + 0.5 * torch.tensor([2 / 3, 1 / 3, 0, 0]))
    before = layer.duty_cycle.clone()
    layer(x, None, torch.zeros(2, 2, dtype=torch.bool))
    layer.eval()(x)
    assert torch.equal(layer.duty_cycle, before)


@pytest.mark.parametrize(("boost", "fair"), [(0.0, False), (5.0, True)])
def test_boosting_lets_everyone_win(boost: float, fair: bool) -> None:
    layer, handicap = KWinners(40, 4, boost=boost), torch.linspace(1, 2, 40)
    for _ in range(200):
        layer(torch.rand(1, 64, 40) + handicap)
    assert bool(layer.duty_cycle.min() > 0.02) == fair
    assert layer.duty_cycle.sum().item() == pytest.approx(4, abs=1e-3)


def test_the_duty_cycle_is_saved() -> None:
    layer, other = KWinners(8, 2), KWinners(8, 2)
    layer(torch.rand(3, 4, 8))
    other.load_state_dict(layer.state_dict())
    assert torch.equal(other.duty_cycle, layer.duty_cycle)


def test_random_winners_match_by_chance_as_predicted() -> None:
    layer = KWinners(100, 20)
    codes = layer(torch.rand(400, 1, 100) + 1)[0][:, 0] > 0
    known = layer(torch.rand(300, 1, 100) + 1)[0][:, 0] > 0
    sampled = torch.zeros(300, 100).scatter_(1, (torch.rand(300, 100) * known).topk(10).indices, 1)
    theory = layer.theory(synapses=10, theta=5)
    assert (theory.n, theory.a) == (100, 20)
    assert_rate(codes.float() @ sampled.T >= 5, theory.false_positive)


@pytest.mark.parametrize("winners", [0, 9])
def test_impossible_numbers_of_winners_are_refused(winners: int) -> None:
    with pytest.raises(ValueError, match=r"winners: expected a whole number in \[1, 8\]"):
        KWinners(8, winners)
