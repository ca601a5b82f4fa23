"""Sparse and spiking computation in PyTorch: explicit state, one `valid` mask, fast kernels. Tensors are [B, T, ...]."""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core import use_kernels as use_kernels
    from .core.evidence import accumulate as accumulate
    from .run_folder.checkpoint import load as load

__version__ = metadata.version("dendrix")

# Loaded at first use: `dendrix --help` need not wait for torch.
_HOME = {"accumulate": "core", "load": "run_folder", "use_kernels": "core"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'dendrix' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
