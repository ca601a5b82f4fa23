"""Product of a weight matrix with every step of a sequence, by oneDNN where torch's BLAS is slow.

MKL uses AVX2 on processors of other makers than Intel, also on those that have AVX-512. oneDNN uses AVX-512 there, which is twice as fast.
Torch calls it for a convolution of width 1 over a batch of at least 16, which is the same product.
"""

import platform
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ...core import kernel, record_choice

_FEWEST_ROWS = 16
"""Batch below which torch computes a convolution of width 1 by BLAS too."""
_SMALLEST = 1_000_000
"""Multiply-adds below which the call costs more than it saves."""


def _refuses(x: Tensor, weight: Tensor) -> str | None:
    return None


@kernel("product", "cpu", refuses=_refuses)
def run(x: Tensor, weight: Tensor) -> Tensor:
    """y [B, T, N] = x [B, T, K] @ weight [N, K] transposed. In evaluation always by BLAS, so that a network in use has one result."""
    by_convolution = not torch.compiler.is_compiling() and _pays(x, weight)
    record_choice("product", "cpu", "oneDNN" if by_convolution else "BLAS")
    return convolved(x, weight) if by_convolution else torch.nn.functional.linear(x, weight)


def _pays(x: Tensor, weight: Tensor) -> bool:
    trained = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    single = x.dtype == weight.dtype == torch.float32
    large = x.shape[0] >= _FEWEST_ROWS and x.shape[1] > 1 and x.shape[0] * x.shape[1] * weight.numel() >= _SMALLEST
    return trained and single and large and blas_lags()


def convolved(x: Tensor, weight: Tensor) -> Tensor:
    """The product as a convolution of width 1; x [B, T, K] is its input in the memory format "channels last", without a copy."""
    y = torch.nn.functional.conv2d(x.contiguous().transpose(1, 2).unsqueeze(2), weight[:, :, None, None])
    return y.squeeze(2).transpose(1, 2)


@cache
def blas_lags() -> bool:
    """Whether torch's BLAS leaves AVX-512 of this processor unused."""
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return wide and torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available() and not _made_by_intel()


def _made_by_intel() -> bool:
    """Whether Intel made the processor; True if that is unknown."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = platform.processor()
    return "AMD" not in text
