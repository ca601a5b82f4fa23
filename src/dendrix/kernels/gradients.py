"""Shared registration of operations with a gradient of their own."""

from typing import Any, NoReturn

import torch
from torch import Tensor

from ..errors import KernelError


def differentiable_once(backward: str) -> None:
    """Make a second derivative an error: `backward`, the name of the operation that computes the first, has no gradient."""
    torch.library.register_autograd(backward, _refuse)


def _refuse(ctx: Any, *grads: Tensor) -> NoReturn:
    raise KernelError(
        "Kernels support first derivatives only, but a second one is required (create_graph=True). "
        'Compute both under dendrix.use_kernels("reference").'
    )
