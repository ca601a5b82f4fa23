"""Fused scans on the CPU do not depend on torch's defaults."""

import pytest
import torch

from dendrix.core import use_kernels
from dendrix.neurons import LIF

lif = LIF(64)


def gradient(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs of a fused scan, and the gradient of their squares."""
    x = x.clone().requires_grad_()
    with use_kernels("required"):
        y = lif(x)[0]
    (y * y).sum().backward()
    assert x.grad is not None
    return y.detach(), x.grad


@pytest.mark.parametrize("default", ["float64", "meta"])
def test_defaults_do_not_matter(default: str) -> None:
    x = torch.randn(2, 40, 64, generator=torch.Generator().manual_seed(0))
    expected = gradient(x)
    dtype = torch.get_default_dtype()
    try:
        if default == "float64":
            torch.set_default_dtype(torch.float64)
        else:
            torch.set_default_device(default)
        found = gradient(x)
    finally:
        torch.set_default_dtype(dtype)
        torch.set_default_device(None)
    assert all(map(torch.equal, found, expected))
