"""Kernels for CUDA in Triton, which is imported at the first use of one: the same operations as on the CPU."""

import torch
from torch import Tensor

from .. import wkv as operation
from ..fused import fused_scan, fused_scan_backward, tile


@fused_scan.register_kernel("cuda")
def forward(
    x: Tensor, start: Tensor, params: Tensor, valid: Tensor, rule: str, flags: list[bool], constants: list[float], surrogate: str
) -> tuple[Tensor, Tensor, Tensor]:
    """`fused_scan` on the GPU."""
    from . import scan

    _, every = tile(x.shape[2])
    x, start, params, valid = (tensor.contiguous() for tensor in (x, start, params, valid))
    with torch.cuda.device(x.get_device()):
        return scan.forward(x, start, params, valid, rule, flags, constants, surrogate, every)


@fused_scan_backward.register_kernel("cuda")
def backward(
    x: Tensor, marks: Tensor, params: Tensor, valid: Tensor, gy: Tensor, gend: Tensor, rule: str, flags: list[bool],
    constants: list[float], surrogate: str,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """`fused_scan_backward` on the GPU."""
    from . import scan

    _, every = tile(x.shape[2])
    x, params, valid, gy, gend = (tensor.contiguous() for tensor in (x, params, valid, gy, gend))
    with torch.cuda.device(x.get_device()):
        return scan.backward(x, marks, params, valid, gy, gend, rule, flags, constants, surrogate, every)


@operation.fused_wkv.register_kernel("cuda")
def wkv_forward(k: Tensor, v: Tensor, params: Tensor, start: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`fused_wkv` on the GPU."""
    from . import wkv

    _, every = operation.tile(k.shape[2])
    k, v, params, start, valid = (tensor.contiguous() for tensor in (k, v, params, start, valid))
    with torch.cuda.device(k.get_device()):
        return wkv.forward(k, v, params, start, valid, every)


@operation.fused_wkv_backward.register_kernel("cuda")
def wkv_backward(
    k: Tensor, v: Tensor, params: Tensor, marks: Tensor, valid: Tensor, gy: Tensor, gend: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`fused_wkv_backward` on the GPU."""
    from . import wkv

    _, every = operation.tile(k.shape[2])
    k, v, params, marks, valid, gy, gend = (tensor.contiguous() for tensor in (k, v, params, marks, valid, gy, gend))
    with torch.cuda.device(k.get_device()):
        return wkv.backward(k, v, params, marks, valid, gy, gend, every)
