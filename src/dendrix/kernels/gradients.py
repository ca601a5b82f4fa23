"""What all operations with a gradient of their own have in common."""

from typing import Any, NoReturn

from torch import Tensor
from torch.library import CustomOpDef

from ..errors import KernelError


def differentiable_once(backward: CustomOpDef) -> None:
    """Make a second derivative an error: `backward`, which computes the first, has no gradient."""

    def refuse(ctx: Any, *grads: Tensor) -> NoReturn:
        raise KernelError(
            "Kernels have first derivatives, but a second one was asked for (create_graph=True). "
            'Compute both under dendrix.use_kernels("reference").'
        )

    backward.register_autograd(refuse)
