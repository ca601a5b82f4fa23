"""WKV: its definition, its gradients, its kernel, and what makes it stable."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import use_kernels
from dendrix.layers.rwkv.wkv import WKVState, wkv

pytestmark = pytest.mark.parametrize("varying", [False, True])


def inputs(varying: bool, B: int = 2, T: int = 9, C: int = 5, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Keys, values, rates of all or of each step, and bonuses that need gradients."""
    parts = torch.randn(B, T, C), torch.randn(B, T, C), torch.rand(*((B, T, C) if varying else (C,))) + 0.05, torch.randn(C)
    return [part.to(dtype).requires_grad_() for part in parts]


def definition(k: Tensor, v: Tensor, rate: Tensor, bonus: Tensor) -> Tensor:
    """Both sums as they are written, with a weight for every pair of steps."""
    steps = torch.arange(k.shape[1])
    earlier = (steps.unsqueeze(1) > steps).unsqueeze(-1)
    decayed = rate.expand(k.shape).cumsum(1)  # in all, up to each step
    faded = (decayed - rate).unsqueeze(2) - decayed.unsqueeze(1)
    weight = torch.exp((k.unsqueeze(1) - faded).masked_fill(~earlier, -torch.inf))
    weight = weight + torch.diag_embed(torch.exp(bonus + k).transpose(1, 2)).permute(0, 2, 3, 1)
    return (weight * v.unsqueeze(1)).sum(2) / weight.sum(2)


def part(rate: Tensor, first: int, last: int) -> Tensor:
    """The rates of some steps."""
    return rate[:, first:last] if rate.dim() == 3 else rate


def test_is_the_weighted_average(varying: bool) -> None:
    given = inputs(varying)
    assert_close(wkv(*given)[0], definition(*given), rtol=1e-12, atol=1e-12)


def test_gradients_are_those_of_the_definition(varying: bool) -> None:
    given = inputs(varying)
    upstream = torch.randn(2, 9, 5, dtype=torch.float64)
    ours, theirs = (torch.autograd.grad(y, given, upstream) for y in (wkv(*given)[0], definition(*given)))
    assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_gradients_pass_through_the_state(varying: bool) -> None:
    given = inputs(varying)
    k, v, rate, bonus = given
    upstream = torch.randn(2, 9, 5, dtype=torch.float64)
    first, state = wkv(k[:, :4], v[:, :4], part(rate, 0, 4), bonus)
    rest, _ = wkv(k[:, 4:], v[:, 4:], part(rate, 4, 9), bonus, state)
    pieces = torch.autograd.grad(torch.cat([first, rest], 1), given, upstream)
    assert_close(pieces, torch.autograd.grad(definition(*given), given, upstream), rtol=1e-10, atol=1e-12)


def test_large_keys_stay_finite(varying: bool) -> None:
    k, v, rate, bonus = inputs(varying, dtype=torch.float32)
    y, state = wkv(k * 1e4, v, rate, bonus)  # exp of it is beyond any float
    assert y.isfinite().all()
    assert all(part.isfinite().all() for part in state)
    assert (y.abs().amax(1) <= v.abs().amax(1) + 1e-5).all(), "an average lies between the values"


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("T", [2, 64, 150])
def test_kernel_equals_the_loop(T: int, holes: bool, varying: bool) -> None:
    """Both in float32 and in float64, of which the first must be the kernel: it may be wrong by rounding only."""
    valid = torch.rand(3, T) > 0.3 if holes else None
    weigh = torch.randn(3, dtype=torch.float64)
    results = []
    for mode, dtype in (("required", torch.float32), ("reference", torch.float64)):
        torch.manual_seed(3)
        given = [*inputs(varying, 3, T, 700, torch.float32), torch.randn(3, 700), torch.rand(3, 700) + 0.5, torch.randn(3, 700)]
        given = [part.detach().to(dtype).requires_grad_() for part in given]
        with use_kernels(mode):
            y, end = wkv(*given[:4], WKVState(*given[4:6], given[6].detach()), valid)
        (y.sum() * weigh[0] + end.aa.sum() * weigh[1] + end.bb.sum() * weigh[2]).backward()
        results.append([y, *end, *[part.grad for part in given[:6]]])
    for ours, exact in zip(*results, strict=True):
        assert (ours - exact).abs().max() <= 1e-5 * exact.abs().max()


def test_pieces_and_holes(varying: bool) -> None:
    k, v, rate, bonus = inputs(varying)
    whole, end = wkv(k, v, rate, bonus)
    first, state = wkv(k[:, :4], v[:, :4], part(rate, 0, 4), bonus)
    rest, after = wkv(k[:, 4:], v[:, 4:], part(rate, 4, 9), bonus, state)
    assert_close(torch.cat([first, rest], 1), whole)
    assert_close(after, end)
    valid = torch.tensor([[True] * 4 + [False] * 2 + [True] * 5] * 2)
    spread = torch.full((2, 11, 5), torch.nan, dtype=torch.float64)
    spread_k, spread_v, spread_rate = (spread.masked_scatter(valid.unsqueeze(2), x.expand(k.shape)) for x in (k, v, rate))
    y, last = wkv(spread_k, spread_v, spread_rate if varying else rate, bonus, None, valid)
    assert_close(y[valid].view(2, 9, 5), whole)
    assert_close(last, end)
    assert not y[~valid].any()


@pytest.mark.parametrize(("shape", "word"), [((2, 9, 4), "v"), ((2, 8, 5), "v")])
def test_refuses_shapes_that_differ(shape: tuple[int, ...], word: str, varying: bool) -> None:
    k, _, rate, bonus = inputs(varying)
    with pytest.raises(ValueError, match=f"^{word}: expected"):
        wkv(k, torch.zeros(shape), rate, bonus)


def test_refuses_rates_of_other_steps(varying: bool) -> None:
    k, v, _, bonus = inputs(varying)
    with pytest.raises(ValueError, match=r"^rate: expected"):
        wkv(k, v, torch.ones(2, 8, 5) if varying else torch.ones(4), bonus)
    with pytest.raises(ValueError, match=r"^rate: expected"):
        wkv(k, v, torch.ones(2, 5), bonus)


def test_equal_rates_are_one_rate(varying: bool) -> None:
    """Also in the kernel, to the last bit; rates so high that nothing is left give the average of two tokens, and finite gradients."""
    k, v, rate, bonus = (part.detach().float() for part in inputs(False, 3, 20, 700))
    with use_kernels("required" if varying else "reference"):
        assert torch.equal(wkv(k, v, rate.expand(k.shape).contiguous(), bonus)[0], wkv(k, v, rate, bonus)[0])
    fast = torch.full_like(k, 60.0).requires_grad_()
    k.requires_grad_()
    y, _ = wkv(k, v, fast, bonus)
    before, now = k[:, 4], bonus + k[:, 5]
    share = torch.sigmoid(now - before)
    assert_close(y[:, 5], share * v[:, 5] + (1 - share) * v[:, 4], rtol=1e-4, atol=1e-5)
    assert all(grad.isfinite().all() for grad in torch.autograd.grad(y.sum(), (k, fast)))
