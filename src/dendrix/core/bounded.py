"""Bound on the memory of a network that a file describes, checked at each tensor before it is made."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..errors import InputError

_MAKERS = frozenset(
    [
        *(
            torch.empty,
            torch.zeros,
            torch.ones,
            torch.full,
            torch.rand,
            torch.randn,
            torch.randint,
            torch.eye,
            torch.arange,
            torch.linspace,
        ),
        *(torch.empty_strided, torch.empty_like, torch.zeros_like, torch.ones_like, torch.full_like, torch.rand_like, torch.randn_like),
        *(torch.Tensor.new_empty, torch.Tensor.new_zeros, torch.Tensor.new_ones, torch.Tensor.new_full, torch.Tensor.repeat, torch.tile),
    ]
)
"""Functions that make tensors of a size that their arguments say."""
_LIKE_EMPTY = frozenset((torch.rand, torch.randn, torch.eye))
"""Those of them whose arguments are those of `torch.empty`."""
_LEAST = 4096
"""Bytes that a tensor counts as at least, so that the number of tensors is bounded too."""
_FREE = 64 << 20
_TIMES = 16
"""Memory that building may take: so many bytes, and so many times those of the weights, as initial values are computed on the way."""


class _Bound(TorchFunctionMode):
    def __init__(self, weights: int) -> None:
        super().__init__()
        self.weights, self.left = weights, _FREE + _TIMES * weights

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _MAKERS:
            self.left -= max(_size(func, args, kwargs or {}), _LEAST)
            if self.left < 0:
                raise InputError(f"network: expected one of about the memory of its weights, {self.weights:,} bytes, got a far larger one.")
        return func(*args, **(kwargs or {}))


def _size(func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> int:
    """Bytes of the tensor that a call would make."""
    with torch._C.DisableTorchFunction():
        if func in (torch.Tensor.repeat, torch.tile):
            shape = func(args[0].to("meta"), *args[1:], **kwargs)
        elif args and isinstance(args[0], torch.Tensor):
            shape = func(args[0].to("meta"), *args[1:], **{**kwargs, "device": "meta"})
        else:
            without = {name: value for name, value in kwargs.items() if name != "generator"}
            if func is torch.eye:
                args = (args[0], args[1] if len(args) > 1 else args[0])
            # On the device meta, torch computes some of these in Python, and loads much for it.
            shape = (torch.empty if func in _LIKE_EMPTY else func)(*args, **{**without, "device": "meta"})
    return int(shape.numel() * shape.element_size())


@contextlib.contextmanager
def bounded(weights: int) -> Iterator[None]:
    """Refuse, while a network is built, what is far larger than its weights.

    Args:
        weights: size of the file of the weights, in bytes.
    Raises:
        InputError: the tensors that are made take more memory than 16 times the weights and 64 MB.
    """
    with _Bound(weights):
        yield
