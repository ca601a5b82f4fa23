"""Token shift over pieces and holes, and its mixtures."""

import pytest
import torch
from torch.testing import assert_close

from dendrix.core import use_kernels
from dendrix.kernels.token_mix.operation import fused_token_mix
from dendrix.layers.rwkv.token_shift import token_mix, token_shift


def test_shifts_by_one_and_remembers_the_last() -> None:
    x = torch.randn(2, 5, 3)
    y, last = token_shift(x)
    assert not y[:, 0].any()
    assert_close(y[:, 1:], x[:, :-1])
    assert_close(last, x[:, -1])
    again, _ = token_shift(x, last)
    assert_close(again[:, 0], x[:, -1])


def test_steps_over_what_is_not_valid() -> None:
    x = torch.arange(1.0, 7).view(1, 6, 1)
    valid = torch.tensor([[False, True, False, False, True, False]])
    y, last = token_shift(x, torch.tensor([[9.0]]), valid)
    assert y[valid].flatten().tolist() == [9.0, 2.0]
    assert last.item() == 5.0
    _, nothing = token_shift(x, torch.tensor([[9.0]]), torch.zeros(1, 6, dtype=torch.bool))
    assert nothing.item() == 9.0


@pytest.mark.parametrize(("size", "mixtures"), [((3, 43, 33), 3), ((1, 64, 80), 2), ((70, 1, 65), 1)])
def test_mixtures_of_the_kernel_equal_those_of_torch(size: tuple[int, int, int], mixtures: int) -> None:
    """Forward to the bit; the gradients of the shares are sums over all tokens, in another order."""
    x, earlier = torch.randn(size, requires_grad=True), torch.randn(size[1], size[0], size[2]).transpose(0, 1).requires_grad_()
    shares = [torch.rand(size[2], requires_grad=True) for _ in range(mixtures)]
    upstream, results = [torch.randn(size) for _ in shares], []
    for mode in ("reference", "required"):
        with use_kernels(mode):
            mixed = token_mix(x, earlier, *shares)
        results.append((mixed, torch.autograd.grad(mixed, [x, earlier, *shares], upstream)))
    (expected, expected_gradients), (found, found_gradients) = results
    assert_close(found, expected, rtol=0, atol=0)
    assert_close(found_gradients, expected_gradients, rtol=1e-5, atol=1e-5)


def test_a_mixture_that_nothing_reads_has_no_gradient() -> None:
    x, share = torch.randn(2, 50, 64, requires_grad=True), torch.rand(64)
    with use_kernels("required"):
        first, _ = token_mix(x, torch.zeros_like(x), share, torch.rand(64))
    assert_close(torch.autograd.grad(first.sum(), x)[0], share.expand_as(x))


def test_opcheck() -> None:
    given = [torch.randn(2, 9, 5), torch.randn(2, 9, 5), torch.rand(3, 5)]
    torch.library.opcheck(fused_token_mix, tuple(part.requires_grad_() for part in given))


def test_mixtures_refuse_shapes_that_differ() -> None:
    x = torch.zeros(2, 9, 5)
    with pytest.raises(ValueError, match=r"^earlier: expected"):
        token_mix(x, x[:, :8], torch.ones(5))
    with pytest.raises(ValueError, match=r"^share: expected"):
        token_mix(x, x, torch.ones(4))
