"""Torch operation for the fused scans of all rules, and its registration: numba on the CPU, Triton on CUDA."""

from dataclasses import astuple
from typing import Any

import torch
from torch import Tensor

from ...core import ATan, Boxcar, Sigmoid, State, StepFn, Triangle, kernel, too_small
from ...neurons.adlif import adlif_step
from ...neurons.counts import spike_count_step
from ...neurons.cuba import cuba_lif_step
from ...neurons.li import li_step
from ...neurons.lif import lif_step
from ..available import HAS_NUMBA, HAS_TRITON
from ..gradients import differentiable_once

_FEWEST_STEPS = 8
"""Steps below which the loop is faster if there are gradients: one fused scan, forward and backward, was measured to cost as much as 5 to
15 steps, and forward alone as much as one to two of a rule with spikes. A step of LI is a single multiply-add, so a forward scan of it
costs as much as about eight."""

SURROGATES = (ATan, Sigmoid, Triangle, Boxcar)


_MOST_LEVELS = 8
"""Levels of spike counts up to which their loop is unrolled."""


def _register(rule: StepFn, params: tuple[str, ...], devices: tuple[str, ...] = ("cpu", "cuda")) -> None:
    """Register the fused scan of a rule; `params` are its parameters that may be tensors, in the order of the kernels."""
    name = rule.__name__
    defaults = rule.__kwdefaults__ or {}

    def refuses(x: Tensor, state: State, valid: Tensor | None = None, **given: Any) -> str | None:
        return _reason_against(x, state, {**defaults, **given}, params)

    def fused(x: Tensor, state: State, valid: Tensor | None = None, **given: Any) -> tuple[Tensor, State]:
        return _run(name, x, state, valid, {**defaults, **given}, params)

    fused.__name__ = name  # for run records
    for device in devices:
        kernel(rule, device, refuses)(fused)


def _reason_against(x: Tensor, state: State, given: dict[str, Any], params: tuple[str, ...]) -> str | None:
    spike = given.get("spike")
    tensors = [given[p] for p in params if isinstance(given[p], Tensor)]
    fixed = [key for key, value in given.items() if isinstance(value, Tensor) and key not in params]
    if reason := reason_against(x):
        return reason
    if spike is None and not x.is_cuda and x.shape[1] < _FEWEST_STEPS:
        return f"{x.shape[1]} steps without spikes are fewer than {_FEWEST_STEPS}"
    if any(s.dtype != torch.float32 for s in state):
        return "the state is not float32"
    if any(s.shape != x.shape[:1] + x.shape[2:] for s in state):  # a kernel would read beyond its end
        return "the state is not shaped like a step of x"
    if fixed:
        return f"{fixed[0]} is a tensor; kernels take a number"
    if any(p.dtype == torch.float64 for p in tensors):
        return "a parameter is float64"
    if any(p.dim() > x.dim() - 2 for p in tensors):
        return "a parameter differs between rows"
    if given.get("levels", 1) > _MOST_LEVELS:
        return f"{given['levels']} levels of spikes are more than {_MOST_LEVELS}"
    if spike is not None and type(spike) not in SURROGATES:
        return f"no fused surrogate {type(spike).__name__}"
    return None


def reason_against(x: Tensor) -> str | None:
    """Why no kernel takes this input."""
    return _reason_against_triton(x) if x.is_cuda else _reason_against_numba(x)


def _reason_against_numba(x: Tensor) -> str | None:
    if not HAS_NUMBA:
        return "numba is not installed"
    if x.dtype not in (torch.float32, torch.bfloat16):
        return f"x is {x.dtype}; kernels take float32 and bfloat16"
    fewest = _FEWEST_STEPS if torch.is_grad_enabled() else 2
    if x.shape[1] < fewest:
        return f"{x.shape[1]} steps are fewer than {fewest}"
    return too_small(x)


def _reason_against_triton(x: Tensor) -> str | None:
    if not HAS_TRITON:
        return "triton is not installed"
    return f"x is {x.dtype}; kernels take float32, bfloat16 and float16" if x.dtype == torch.float64 else None


def _run(name: str, x: Tensor, state: State, valid: Tensor | None, given: dict[str, Any], params: tuple[str, ...]) -> tuple[Tensor, State]:
    after_x = x.shape[2:]
    start = torch.stack([s.flatten(1) for s in state]) if len(state) > 1 else state[0].flatten(1).unsqueeze(0).contiguous()
    columns = [torch.as_tensor(given[p], dtype=torch.float32, device=x.device).expand(after_x).flatten() for p in params]
    if valid is None:
        valid = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    reset = given.get("v_reset")
    spike = given.get("spike")
    sharpness = 1.0 if spike is None else astuple(spike)[0]  # every fused surrogate has one number
    constants = [given.get("v_threshold", 1.0), reset or 0.0, given.get("amplitude", 1.0), sharpness]
    constants += [level * given["v_threshold"] for level in range(1, given.get("levels", 0) + 1)]
    flags = [reset is not None, given.get("detach_reset", False), given.get("scale_input", False)]
    flags += [given["signed"]] if "signed" in given else []
    work = _without_gradients if x.device.type == "cpu" and not (torch.is_grad_enabled() or torch.compiler.is_compiling()) else fused_scan
    y, end, _ = work(x.flatten(2), start, torch.stack(columns), valid, name, flags, constants, type(spike).__name__)
    # No views of several states, because FSDP warns about them and they keep the whole tensor alive.
    parts = [s.clone() for s in end.unbind(0)] if len(state) > 1 or work is fused_scan else [end.squeeze(0)]
    if len(after_x) > 1:
        y, parts = y.unflatten(2, after_x), [s.unflatten(1, after_x) for s in parts]
    return y, type(state)(*parts)


def tile(columns: int) -> tuple[int, int]:
    """Columns per tile and steps per chunk: x, gradient and states of a chunk fit the second-level cache, and are long enough to be
    prefetched."""
    width = min(columns, 2048)
    return width, min(128, max(8, 32_768 // width))


def _without_gradients(
    x: Tensor, start: Tensor, params: Tensor, valid: Tensor, rule: str, flags: list[bool], constants: list[float], surrogate: str
) -> tuple[Tensor, Tensor, Tensor]:
    """`fused_scan` on the CPU, without the dispatch of a custom operation, which takes as long as a step."""
    from . import cpu

    return cpu.forward(x, start, params, valid, rule, flags, constants, surrogate, *tile(x.shape[2]))


@torch.library.custom_op("dendrix::fused_scan", mutates_args=(), device_types="cpu")
def fused_scan(
    x: Tensor, start: Tensor, params: Tensor, valid: Tensor, rule: str, flags: list[bool], constants: list[float], surrogate: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Scan x [B, T, M] from states [n, B, M] with parameters [m, M]: y, the states at the end, and the states before each chunk."""
    from . import cpu

    return cpu.forward(x, start, params, valid, rule, flags, constants, surrogate, *tile(x.shape[2]))


@fused_scan.register_fake
def _(
    x: Tensor, start: Tensor, params: Tensor, valid: Tensor, rule: str, flags: list[bool], constants: list[float], surrogate: str
) -> tuple[Tensor, Tensor, Tensor]:
    _, every = tile(x.shape[2])
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    return y, torch.empty_like(start), start.new_empty((x.shape[1] + every - 1) // every, *start.shape)


@torch.library.custom_op("dendrix::fused_scan_backward", mutates_args=(), device_types="cpu")
def fused_scan_backward(
    x: Tensor, marks: Tensor, params: Tensor, valid: Tensor, gy: Tensor, gend: Tensor, rule: str, flags: list[bool],
    constants: list[float], surrogate: str,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The gradients of x, of the states at the start, and of the parameters, one per row [m, B, M]."""
    from . import cpu

    return cpu.backward(x, marks, params, valid, gy, gend, rule, flags, constants, surrogate, *tile(x.shape[2]))


@fused_scan_backward.register_fake
def _(
    x: Tensor, marks: Tensor, params: Tensor, valid: Tensor, gy: Tensor, gend: Tensor, rule: str, flags: list[bool],
    constants: list[float], surrogate: str,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    gx = torch.empty_like(x, memory_format=torch.contiguous_format)
    return gx, torch.empty_like(gend), gend.new_empty(len(params), *gend.shape[1:])


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, _, params, valid, *ctx.variant = inputs
    ctx.set_materialize_grads(False)  # no zeros for `marks`
    ctx.save_for_backward(x, params, valid, output[2])


def _differentiate(ctx: Any, gy: Tensor | None, gend: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
    x, params, valid, marks = ctx.saved_tensors
    gy = torch.zeros_like(x) if gy is None else gy
    gend = torch.zeros_like(marks[0]) if gend is None else gend
    gx, gstart, gparams = fused_scan_backward(x, marks, params, valid, gy, gend, *ctx.variant)
    return gx, gstart, gparams.sum(1) if ctx.needs_input_grad[2] else None, *[None] * 5


fused_scan.register_autograd(_differentiate, setup_context=_keep)
differentiable_once("dendrix::fused_scan_backward")

_register(lif_step, ("decay",))
_register(cuba_lif_step, ("decay_syn", "decay"))
_register(adlif_step, ("decay", "decay_w", "a", "b"))
_register(li_step, ("decay",))
_register(spike_count_step, ("decay",), ("cpu",))


@fused_scan.register_kernel("cuda")
def forward_on_cuda(
    x: Tensor, start: Tensor, params: Tensor, valid: Tensor, rule: str, flags: list[bool], constants: list[float], surrogate: str
) -> tuple[Tensor, Tensor, Tensor]:
    from . import cuda

    _, every = tile(x.shape[2])
    x, start, params, valid = (tensor.contiguous() for tensor in (x, start, params, valid))
    with torch.cuda.device(x.get_device()):
        return cuda.forward(x, start, params, valid, rule, flags, constants, surrogate, every)


@fused_scan_backward.register_kernel("cuda")
def backward_on_cuda(
    x: Tensor, marks: Tensor, params: Tensor, valid: Tensor, gy: Tensor, gend: Tensor, rule: str, flags: list[bool],
    constants: list[float], surrogate: str,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    from . import cuda

    _, every = tile(x.shape[2])
    x, params, valid, gy, gend = (tensor.contiguous() for tensor in (x, params, valid, gy, gend))
    with torch.cuda.device(x.get_device()):
        return cuda.backward(x, marks, params, valid, gy, gend, rule, flags, constants, surrogate, min(every, x.shape[1]))
