"""Choice of the library for float32 matrix products during training."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch


@contextlib.contextmanager
def fast_products() -> Iterator[None]:
    """Let torch compute float32 matrix products by oneDNN, where it is as exact as MKL and faster.

    MKL, the default, uses half of the width of AVX-512 on processors that are not made by Intel. torch takes oneDNN for float32 only if
    it may round inputs to bfloat16. oneDNN makes use of that permission on processors with AMX only; on those, nothing is changed here.

    The permission is that of `torch.set_float32_matmul_precision("medium")`, so that code which asks for the precision gets an answer:
    torch raises an error if it was given for oneDNN alone. As it holds for CUDA too, nothing is changed where there is a GPU.
    """
    onednn, cuda = _settings()
    if (onednn.fp32_precision, cuda.fp32_precision) != ("none", "none") or torch.cuda.is_available() or not exact_in_onednn():
        yield
        return
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        if onednn.fp32_precision == "bf16":  # otherwise the training has chosen another
            torch.set_float32_matmul_precision("highest")
            onednn.fp32_precision = cuda.fp32_precision = "none"


def _settings() -> tuple[Any, Any]:
    """Settings of float32 products by oneDNN and CUDA."""
    return torch.backends.mkldnn.matmul, torch.backends.cuda.matmul  # type: ignore[attr-defined]


def exact_in_onednn() -> bool:
    """Return whether this processor has AVX-512 but no AMX, so that oneDNN computes float32 products in float32."""
    find = getattr(torch.cpu, "get_capabilities", None)  # not in torch 2.11
    onednn: Any = torch.backends.mkldnn
    if find is None or not onednn.is_available():
        return False
    found = find()
    return bool(found.get("avx512_bw") and not any(held for name, held in found.items() if name.startswith("amx")))
