"""Sparse and spiking computation in PyTorch: explicit state, one `valid` mask, fast kernels. Tensors are [B, T, ...]."""

from importlib.metadata import version

from . import kernels as kernels
from .core import accumulate as accumulate
from .core import use_kernels as use_kernels

__version__ = version("dendrix")
