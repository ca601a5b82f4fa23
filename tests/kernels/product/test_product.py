"""Products with sequences by oneDNN: equal to BLAS forward and backward, only in training, and the choice is recorded."""

import pytest
import torch
from torch import Tensor, nn

from dendrix import DelayLinear, use_kernels
from dendrix.core import chosen_kernels
from dendrix.kernels.product.operation import blas_lags, convolved
from dendrix.layers.delay.linear import product

SHAPES = [(16, 2, 1, 1), (16, 7, 5, 3), (17, 50, 40, 64), (64, 33, 24, 40), (3, 4, 5, 6)]


def case(shape: tuple[int, ...], layout: str = "contiguous") -> tuple[Tensor, Tensor, Tensor]:
    B, T, K, N = shape
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(B, T, K, generator=generator)
    if layout == "time first":
        x = torch.randn(T, B, K, generator=generator).transpose(0, 1)
    if layout == "every other step":
        x = torch.randn(B, 2 * T, K, generator=generator)[:, ::2]
    return x, torch.randn(N, K, generator=generator), torch.randn(B, T, N, generator=generator)


@pytest.mark.parametrize("layout", ["contiguous", "time first", "every other step"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_convolution_of_width_one_equals_the_product_and_its_gradients(shape: tuple[int, ...], layout: str) -> None:
    x, weight, g = case(shape, layout)
    found = []
    for work in (convolved, nn.functional.linear):
        inputs = x.clone().as_strided(x.shape, x.stride()).requires_grad_() if layout == "contiguous" else x.detach().requires_grad_()
        w = weight.clone().requires_grad_()
        y = work(inputs, w)
        found.append((y.detach(), *torch.autograd.grad(y, (inputs, w), g)))
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * float(theirs.abs().max()))


def test_evaluation_is_always_by_blas() -> None:
    x, weight, _ = case((32, 40, 64, 64))
    assert torch.equal(product(x, weight), nn.functional.linear(x, weight))
    assert chosen_kernels()["product on cpu"] == "BLAS"


def test_training_is_by_onednn_where_blas_lags() -> None:
    x, weight, _ = case((32, 40, 64, 64))
    product(x, weight.requires_grad_())
    assert chosen_kernels()["product on cpu"] == ("oneDNN" if blas_lags() else "BLAS")


@pytest.mark.parametrize("shape", [(8, 160, 64, 64), (32, 1, 256, 256), (32, 4, 8, 8)], ids=["few rows", "one step", "small"])
def test_what_does_not_pay_is_by_blas(shape: tuple[int, ...]) -> None:
    x, weight, _ = case(shape)
    product(x, weight.requires_grad_())
    assert chosen_kernels()["product on cpu"] == "BLAS"


def test_other_precisions_are_by_blas() -> None:
    x, weight, _ = case((32, 40, 64, 64))
    y = product(x.double(), weight.double().requires_grad_())
    assert torch.equal(y, nn.functional.linear(x.double(), weight.double()))


@pytest.mark.parametrize("granularity", ["axonal", "dendritic"])
def test_layers_with_a_delay_per_neuron_equal_the_reference(granularity: str) -> None:
    """At a size that takes the convolution where it pays."""
    torch.manual_seed(0)
    layer = DelayLinear(64, 48, 40.0, 10.0, granularity=granularity)  # type: ignore[arg-type]
    x = torch.rand(32, 30, 64)
    found = []
    for mode in ("required", "reference"):
        with use_kernels(mode):  # type: ignore[arg-type]
            inputs = x.clone().requires_grad_()
            y, _ = layer(inputs)
            found.append((y.detach(), *torch.autograd.grad(y.square().sum(), (inputs, layer.weight, layer.delay))))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))
