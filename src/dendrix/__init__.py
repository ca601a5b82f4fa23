"""Sparse and spiking computation in PyTorch: explicit state, one `valid` mask, fast kernels. Tensors are [B, T, ...].

Names load at their first use (SPEC 1), so `import dendrix` does not import torch. `__init__.pyi` lists them.
"""

import lazy_loader

__version__ = "0.2.0.dev0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
