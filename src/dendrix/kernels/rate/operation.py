"""Neurons of converted networks on the CPU: one pass over memory for all steps, without gradients."""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...compiled import compiled
from ...core import State, kernel, too_small
from ...neurons.integrate import if_step
from ...neurons.lif import LIFState
from ...neurons.signed import SignedIFState, signed_if_step
from ..available import HAS_NUMBA
from ..numba.pool import in_parts
from . import loops


def _refuses(x: Tensor, state: State, valid: Tensor | None = None, **given: Any) -> str | None:
    values = [part for name, part in given.items() if name in ("v_threshold", "amplitude") and isinstance(part, Tensor)]
    tensors = [x, *state, *values]
    if not HAS_NUMBA:
        return "numba is not installed"
    if torch.compiler.is_compiling():
        return "torch.compile is tracing"
    if torch.is_grad_enabled() and any(part.requires_grad for part in tensors):
        return "gradients are required, but the kernel has no backward pass"
    if any(part.dtype != torch.float32 for part in tensors):
        return "a tensor is not float32"
    if any(part.shape != x.shape[:1] + x.shape[2:] for part in state):  # the kernel would read beyond its end
        return "the state is not shaped like a step of x"
    if any(part.numel() not in (1, x.shape[2]) for part in values):
        return "a value is neither one number nor one per channel"
    if given.get("v_reset") is not None:
        return "the reset is hard"
    return too_small(x)


@kernel(if_step, "cpu", _refuses)
def rate(
    x: Tensor, state: LIFState, valid: Tensor | None = None, *, v_threshold: Tensor | float, amplitude: Tensor | float, **_: Any
) -> tuple[Tensor, LIFState]:
    y, v = _run(loops.rate, x, state, valid, [v_threshold, amplitude])
    return y, LIFState(v)


@kernel(signed_if_step, "cpu", _refuses)
def signed(
    x: Tensor, state: SignedIFState, valid: Tensor | None = None, *, v_threshold: Tensor | float, limit: float, **_: Any
) -> tuple[Tensor, SignedIFState]:
    y, v, sent = _run(loops.signed, x, state, valid, [v_threshold], np.float32(limit))
    return y, SignedIFState(v, sent)


def _run(loop: Any, x: Tensor, state: State, valid: Tensor | None, values: list[Tensor | float], *numbers: Any) -> list[Tensor]:
    """y, and the parts of the state afterwards; `values` are one number or one per channel."""
    flat = [torch.as_tensor(value).detach().flatten() for value in values]
    x, steps = x.detach(), x.shape[1]
    if x.stride(1) == 0:
        x = x[:, :1]  # a still image
    channels = x.shape[2] if x.dim() > 3 or max(map(len, flat)) > 1 else 1
    rows = x.contiguous().view(*x.shape[:2], channels, -1)
    y = rows.new_empty(len(x), steps, *rows.shape[2:])
    after = [part.detach().clone(memory_format=torch.contiguous_format) for part in state]
    held = [part.view(len(x), *rows.shape[2:]).numpy() for part in after]
    heard = np.ones((len(x), steps), np.bool_) if valid is None else valid.numpy()
    by_channel = [value.expand(channels).contiguous().numpy() for value in flat]
    arrays = [rows.numpy(), *by_channel, *numbers, heard, *held, y.numpy()]
    in_parts(partial(compiled(loop, reorder=False), *arrays), len(x) * channels)
    return [y.view(len(x), steps, *x.shape[2:]), *after]
