import pytest
import torch
from torch import nn
from torch.testing import assert_close

from dendrix.layers import BatchNorm, HeldDropout, PerStep


def ours_and_torchs() -> tuple[BatchNorm, nn.BatchNorm1d]:
    theirs = nn.BatchNorm1d(5).double()
    with torch.no_grad():
        theirs.weight.uniform_()
        theirs.bias.uniform_()
    ours = BatchNorm(5).double()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_batch_norm_equals_torchs() -> None:
    ours, theirs = ours_and_torchs()
    x = torch.randn(4, 6, 5, dtype=torch.float64)
    for _ in range(2):
        assert_close(ours(x)[0], theirs(x.flatten(0, 1)).view(4, 6, 5))
    assert_close(ours.state_dict(), theirs.state_dict())
    assert_close(ours.eval()(x)[0], theirs.eval()(x.flatten(0, 1)).view(4, 6, 5))


def test_batch_norm_sees_valid_steps_only() -> None:
    ours, theirs = ours_and_torchs()
    x, valid = torch.randn(4, 6, 5, dtype=torch.float64), torch.rand(4, 6) < 0.6
    a, b = x.masked_fill(~valid.unsqueeze(-1), torch.nan).requires_grad_(), x[valid].requires_grad_()
    y, expected = ours(a, None, valid)[0], theirs(b)
    assert_close(y[valid], expected)
    assert not y[~valid].any()
    weight = torch.randn_like(expected)
    (y[valid] * weight).sum().backward()
    (expected * weight).sum().backward()
    assert a.grad is not None
    assert_close(a.grad[valid], b.grad)
    assert not a.grad[~valid].any()
    assert_close([p.grad for p in ours.parameters()], [p.grad for p in theirs.parameters()])
    assert_close(ours.state_dict(), theirs.state_dict())


def test_batch_norm_needs_two_valid_steps() -> None:
    valid = torch.zeros(2, 3, dtype=torch.bool)
    valid[0, 0] = True
    with pytest.raises(RuntimeError, match="at least two valid steps"):
        BatchNorm(5)(torch.randn(2, 3, 5), None, valid)


def test_a_held_mask_does_not_change_over_time_or_chunks() -> None:
    layer, x = HeldDropout(0.5), torch.ones(3, 20, 8)
    y, state = layer(x)
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert set(y.unique().tolist()) == {0, 2}
    assert torch.equal(layer(x, state)[0], y)
    assert not torch.equal(layer(x)[0], y)


def test_a_held_mask_keeps_the_mean() -> None:
    y, _ = HeldDropout(0.25)(torch.ones(100, 1, 100))
    assert y.mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("layer", [HeldDropout(0.5).eval(), HeldDropout(0.0)])
def test_dropout_that_drops_nothing(layer: HeldDropout) -> None:
    x = torch.randn(2, 3, 4)
    assert torch.equal(layer(x)[0], x)


def test_dropout_probability_below_one() -> None:
    with pytest.raises(ValueError, match=r"p: expected a number in \[0, 1\), got 1"):
        HeldDropout(1)


def test_per_step_applies_a_convolution_to_each_step() -> None:
    layer, x = PerStep(nn.Conv2d(2, 3, 3)), torch.randn(2, 4, 2, 5, 5)
    y, state = layer(x)
    assert state == ()
    assert_close(y, torch.stack([layer.module(x_t) for x_t in x.unbind(1)], 1))
