"""The fused QCFS against plain torch: the same bits forward and for the input, the threshold's gradient against double precision."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from dendrix import use_kernels
from dendrix.layers import QCFS
from dendrix.layers.activations.qcfs import Mask


def both(mode: str, layer: QCFS, x: Tensor, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Output, gradient of x and gradient of the threshold's parameter."""
    x = x.detach().requires_grad_()
    with use_kernels(mode):
        y = layer(x)
        return y.detach(), *torch.autograd.grad(y, (x, layer.raw_threshold), grad)


@pytest.mark.parametrize("mask", ["input", "level"])
@pytest.mark.parametrize("shape", [(1,), (7, 13), (3, 5, 9, 11), (2, 40, 30, 30)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_equals_torch(mask: Mask, shape: tuple[int, ...], layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    layer, x, grad = QCFS(4, 1.7, mask), 2 * torch.randn(shape), torch.randn(shape)
    if len(shape) == 4:
        x = x.contiguous(memory_format=layout)
    expected, fused = (both(mode, layer, x, grad) for mode in ("reference", "required"))
    assert torch.equal(fused[0], expected[0])
    assert torch.equal(fused[1], expected[1])
    exact = both("reference", QCFS(4, 1.7, mask).double(), x.double(), grad.double())
    assert_close(fused[2].double(), exact[2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mask", ["input", "level"])
def test_ties_and_bounds_fall_as_in_torch(mask: Mask) -> None:
    layer = QCFS(4, 2.0, mask)
    theta = layer.threshold.item()
    x = torch.tensor([-1, -0.125, -0.1, 0.0, 0.125, 0.375, 0.5, 0.875, 1.0, 1.1, 1.125, 1.2]) * theta
    expected, fused = (both(mode, layer, x, torch.ones_like(x)) for mode in ("reference", "required"))
    assert torch.equal(fused[0], expected[0])
    assert torch.equal(fused[1], expected[1])


def test_nan_stays_nan() -> None:
    layer, x = QCFS(4, 2.0), torch.tensor([0.5, float("nan"), 1.0])
    y, dx, threshold = both("required", layer, x, torch.ones(3))
    assert y.isnan().tolist() == [False, True, False]
    assert dx.tolist() == [1.0, 0.0, 1.0]
    assert threshold.isnan()


def test_gradients_may_lie_otherwise_in_memory_than_the_input() -> None:
    torch.manual_seed(0)
    layer, x = QCFS(2, 1.0), torch.randn(4, 6, 5, 5).contiguous(memory_format=torch.channels_last)
    for grad in (torch.randn(4, 6, 5, 5), torch.randn(()).expand(4, 6, 5, 5), torch.randn(4, 6, 5, 10)[..., ::2]):
        expected, fused = (both(mode, layer, x, grad) for mode in ("reference", "required"))
        assert torch.equal(fused[1], expected[1])
    sliced = torch.randn(4, 6, 5, 10)[..., 1::2]
    assert torch.equal(both("required", layer, sliced, grad)[0], both("reference", layer, sliced, grad)[0])


def test_threads_do_not_change_a_bit() -> None:
    torch.manual_seed(0)
    layer, x, grad = QCFS(), 4 * torch.randn(200_000), torch.randn(200_000)
    threads, results = torch.get_num_threads(), []
    for count in (1, 3):
        torch.set_num_threads(count)
        results.append(both("required", layer, x, grad))
    torch.set_num_threads(threads)
    assert all(torch.equal(one, three) for one, three in zip(*results, strict=True))


def test_other_numbers_are_left_to_torch() -> None:
    with use_kernels("required"), pytest.raises(RuntimeError, match=r"both must be float32"):
        QCFS()(torch.ones(3, dtype=torch.double))


def test_the_registration_is_sound() -> None:
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    torch.library.opcheck(torch.ops.dendrix.qcfs.default, (x, torch.tensor(2.0, requires_grad=True), 4, "level"))
