"""Tensors of the CPU as numpy arrays over the same memory."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

_KINDS = {dtype: np.dtype(str(dtype).removeprefix("torch.")).str for dtype in (torch.float32, torch.float64)}


def array(x: Tensor) -> Any:
    """A contiguous array of a tensor's numbers, bfloat16 as int16; a copy only where the tensor is not contiguous."""
    x = x.detach().contiguous()
    return (x.view(torch.int16) if x.dtype == torch.bfloat16 else x).numpy()


def borrowed(x: Tensor) -> Any:
    """As `array`, for parameters. `Tensor.numpy` makes a storage non-resizable, but FSDP resizes that of gathered parameters."""
    return np.asarray(_Memory(x.detach().contiguous()))


class _Memory:
    """numpy's array interface; the array keeps this object, and it the tensor."""

    def __init__(self, x: Tensor):
        self.x = x
        kind = _KINDS[x.dtype]
        self.__array_interface__ = {"shape": tuple(x.shape), "typestr": kind, "data": (x.data_ptr(), False), "version": 3}
