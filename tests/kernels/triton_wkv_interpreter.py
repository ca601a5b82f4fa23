"""The Triton kernels of WKV against autograd of the loop, in Triton's interpreter, which `test_triton.py` starts on this file."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix.core import use_kernels
from dendrix.kernels.wkv import cuda as kernels
from dendrix.kernels.wkv import operation
from dendrix.layers.rwkv.wkv import WKVState, wkv


@pytest.fixture(autouse=True)
def poisoned_buffers() -> Iterator[None]:
    """Every `torch.empty` starts as NaN, so that a value which is never written shows."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def drawn(B: int, T: int, C: int) -> list[Tensor]:
    """Keys, values, rates, bonuses, and both sums with their exponent at the start."""
    parts = torch.randn(B, T, C), torch.randn(B, T, C), torch.rand(C) + 0.05, torch.randn(C)
    return [part.requires_grad_() for part in (*parts, torch.randn(B, C), torch.rand(B, C) + 0.5, torch.randn(B, C))]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 7, 33), (3, 4, 130), (1, 9, 32)])
def test_equal_to_the_loop(size: tuple[int, int, int], masked: bool) -> None:
    """In float64 the loop is exact beside the kernels, which may be wrong by rounding; inputs at invalid steps are NaN."""
    valid = torch.rand(size[:2]) > (0.4 if masked else -1)
    given = drawn(*size)
    k, v = (part.masked_fill(~valid.unsqueeze(2), torch.nan) for part in given[:2])
    exact = [part.detach().double().requires_grad_() for part in (k, v, *given[2:])]
    y, end = wkv(*exact[:4], WKVState(*exact[4:6], exact[6].detach()), valid)
    grad_y, grad_end = torch.randn(size), torch.randn(2, size[0], size[2])
    expected = torch.autograd.grad([y, end.aa, end.bb], exact[:6], [grad_y.double(), *grad_end.double()])

    params, start = torch.stack(given[2:4]).detach(), torch.stack(given[4:]).detach()
    k, v = k.detach(), v.detach()
    found_y, found_end, marks = kernels.forward(k, v, params, start, valid, 4)
    gk, gv, gparams, gstart = kernels.backward(k, v, params, marks, valid, grad_y, grad_end, 4)
    found = [found_y, *found_end, gk, gv, *gparams.sum(1), *gstart]
    for ours, theirs in zip(found, [y, *end, *expected], strict=True):
        assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)


def test_an_empty_past_and_large_keys() -> None:
    k, v, rate, bonus = (part.detach() for part in drawn(2, 6, 5)[:4])
    start = torch.stack([torch.zeros(2, 5), torch.zeros(2, 5), torch.full((2, 5), -1e38)])
    valid = torch.ones(2, 6, dtype=torch.bool)
    y, end, _ = kernels.forward(k * 1e4, v, torch.stack([rate, bonus]), start, valid, 4)
    expected, state = wkv(k * 1e4, v, rate, bonus)
    assert_close(y, expected)
    assert_close(end, torch.stack(list(state)))


@pytest.mark.usefixtures("kernels_of_any_size")
def test_trains_through_the_operation_with_strided_input() -> None:
    """What a GPU is given to do, with the kernels in the place of those of the CPU: states, views and autograd."""
    operation.fused_wkv.register_kernel("cpu")(operation.forward_on_cuda)
    operation.fused_wkv_backward.register_kernel("cpu")(operation.backward_on_cuda)
    given = drawn(2, 70, 5)
    found = {}
    for mode in ("reference", "required"):
        k, v = (part.transpose(0, 1).contiguous().transpose(0, 1) for part in given[:2])
        with use_kernels(mode):
            first, state = wkv(k[:, :66], v[:, :66], *given[2:4])
            rest, end = wkv(k[:, 66:], v[:, 66:], *given[2:4], state)
        gradients = torch.autograd.grad(first.square().sum() + rest.sum() + end.aa.sum(), given[:4])
        found[mode] = [first, rest, *end, *gradients]
    assert_close(found["required"], found["reference"], rtol=1e-4, atol=1e-5)
