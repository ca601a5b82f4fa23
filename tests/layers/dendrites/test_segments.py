"""Dendritic segments: exactly s synapses, a match at theta, errors as the theory says, and training that finds a pattern."""

import pytest
import torch

from dendrix.layers import DendriticSegments
from support.sparse_codes import assert_rate, moved, random_codes


def test_a_match_needs_theta_of_the_stored_cells() -> None:
    layer = DendriticSegments(20, segments=1, synapses=5, theta=3)
    code = torch.zeros(1, 20)
    code[0, :5] = 1
    layer.store_(code)
    assert torch.equal(layer.connected(), code)
    probes = torch.stack([(torch.arange(20) < count).float() for count in range(6)]).unsqueeze(0)
    assert layer(probes)[0].flatten().tolist() == [0, 0, 0, 1, 1, 1]


def test_every_segment_has_exactly_s_synapses_also_while_it_learns() -> None:
    layer = DendriticSegments(50, segments=8, synapses=6, theta=3)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    before = layer.connected().detach()
    for _ in range(5):
        loss = (layer(random_codes(64, 50, 10).unsqueeze(0))[0] - 1).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert layer.connected().sum(1).tolist() == [6] * 8
    assert not torch.equal(layer.connected(), before)


def test_false_positives_are_as_predicted() -> None:
    layer = DendriticSegments(64, segments=300, synapses=8, theta=4)
    theory = layer.theory(active=10)
    assert_rate(layer(random_codes(500, 64, 10).unsqueeze(1))[0] > 0, theory.false_positive)


def test_false_negatives_are_as_predicted() -> None:
    layer = DendriticSegments(64, segments=2000, synapses=8, theta=6)
    codes = random_codes(2000, 64, 12)
    layer.store_(codes)
    assert layer(codes.unsqueeze(1))[0].diagonal(dim1=0, dim2=2).all()
    matches = layer(moved(codes, 4).unsqueeze(1))[0].diagonal(dim1=0, dim2=2)
    assert_rate(matches == 0, layer.theory(active=12, moved=4).false_negative)
    assert layer.theory(active=12, moved=2).false_negative == 0  # the margin s - theta is guaranteed


def test_the_gradient_passes_straight_through_to_every_permanence() -> None:
    layer = DendriticSegments(6, segments=2, synapses=2, theta=1, spike=lambda u: u)
    x = torch.rand(1, 3, 6)
    layer(x)[0].sum().backward()
    torch.testing.assert_close(layer.permanence.grad, x.sum((0, 1)).expand(2, 6))


def test_training_finds_the_cells_that_tell() -> None:
    """The target is active exactly when at least two of the first four inputs are: the segment must find them."""
    layer = DendriticSegments(24, segments=1, synapses=4, theta=2)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(150):
        x = (torch.rand(1, 256, 24) < 0.3).float()
        target = (x[..., :4].sum(-1, keepdim=True) >= 2).float()
        loss = (layer(x)[0] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert layer.connected()[0].nonzero().flatten().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("synapses", "theta", "named"), [(11, 3, "synapses"), (0, 1, "synapses"), (5, 6, "theta"), (5, 0, "theta")])
def test_impossible_sizes_are_refused(synapses: int, theta: int, named: str) -> None:
    with pytest.raises(ValueError, match=f"{named}: expected a whole number in"):
        DendriticSegments(10, 2, synapses, theta)


def test_codes_that_are_too_sparse_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 5 active cells"):
        DendriticSegments(10, 2, 5, 3).store_(random_codes(2, 10, 4))
