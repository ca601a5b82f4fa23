"""Formulas for torch's flop counter, which counts products and no elementwise operations such as scans."""

from functools import cache
from math import prod
from typing import Any

import torch
from torch.utils import flop_counter
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack


def count_kernels() -> None:
    """Register the formulas, and add them to active counters, which copy the registered formulas when they are created."""
    for mode in _get_current_dispatch_mode_stack():
        if isinstance(mode, flop_counter._FlopCounterMode):
            mode.counter.flop_registry |= _registered()


@cache
def _registered() -> dict[Any, Any]:
    operations: Any = torch.ops.dendrix
    formulas = {
        operations.delay_conv: _forward,
        operations.delay_conv_backward: _backward,
        operations.delay_shift: _forward,
        operations.delay_shift_backward: _backward,
        operations.integer_delays: _integer,
        operations.fused_local_attention: _attended,
        operations.fused_local_attention_backward: _attended_backward,
    }
    register: Any = flop_counter.register_flop_formula
    for operation, formula in formulas.items():
        register(operation)(formula)
    return {operation: flop_counter.flop_registry[operation] for operation in formulas}


def _attended(q: torch.Size, keys: torch.Size, values: torch.Size, age: torch.Size, *_: Any, **__: Any) -> int:
    return 2 * q[0] * q[1] * age[1] * (q[2] + values[2])


def _attended_backward(
    q: torch.Size, keys: torch.Size, values: torch.Size, gates: torch.Size, weights: torch.Size, *_: Any, **__: Any
) -> int:
    return 2 * _attended(q, keys, values, weights[1:3])


def _forward(x: torch.Size, taps: torch.Size, past: int, *_: Any, **__: Any) -> int:
    return 2 * x[0] * (x[1] - past) * prod(taps)


def _backward(grad: torch.Size, x: torch.Size, taps: torch.Size, *rest: Any, **_: Any) -> int:
    need_x: bool = rest[-1]
    return 2 * grad[0] * grad[1] * prod(taps) * (1 + need_x)


def _integer(x: torch.Size, weight: torch.Size, delay: torch.Size, taps: int, past: int, *_: Any, **__: Any) -> int:
    return 2 * x[0] * (x[1] - past) * prod(weight)
