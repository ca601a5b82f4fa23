"""The fused WKV in float32: no less exact than the loop, with one rate for all steps and with one for each."""

import pytest
import torch
from torch import Tensor

from dendrix.core import use_kernels
from dendrix.layers.rwkv.wkv import wkv


def results(mode: str, dtype: torch.dtype, varying: bool) -> list[Tensor]:
    """Outputs over many steps, and the gradients of keys, values and rates."""
    torch.manual_seed(0)
    k, v, rate, bonus, g = (
        torch.randn(16, 300, 64),
        torch.randn(16, 300, 64),
        torch.rand(*((16, 300, 64) if varying else (64,))) + 0.05,
        torch.randn(64),
        torch.randn(16, 300, 64),
    )
    k, v, rate, bonus = (part.to(dtype).requires_grad_() for part in (k, v, rate, bonus))
    with use_kernels(mode):
        y, _ = wkv(k, v, rate, bonus)
    return [y, *torch.autograd.grad(y, (k, v, rate), g.to(dtype))]


@pytest.mark.parametrize("varying", [False, True])
def test_it_is_as_exact_as_the_loop(varying: bool) -> None:
    exact = results("reference", torch.float64, varying)
    ours, loop = (
        [(found - true).square().mean().sqrt() for found, true in zip(results(mode, torch.float32, varying), exact, strict=True)]
        for mode in ("required", "reference")
    )
    for error, own, slack in zip(ours, loop, (1.02, 1.1, 1.1, 1.1), strict=True):
        assert error <= slack * own
