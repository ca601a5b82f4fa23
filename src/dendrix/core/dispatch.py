"""Kernel table: fast implementations of operations by device type, used unless they refuse the arguments."""

import contextlib
import sys
from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ..checks import expect_one_of
from ..errors import KernelError

Mode = Literal["auto", "reference", "required"]

SMALLEST = 4_096
"""Number of input elements below which the reference is used, because loading numba would take longer."""


@dataclass(frozen=True)
class Kernel:
    """Fast implementation of an operation on one type of device.

    `run` and `refuses` take the arguments of the operation. `refuses` returns the reason why the kernel does not support them, or None.
    """

    name: str
    run: Callable[..., Any]
    refuses: Callable[..., str | None]


KERNELS: dict[tuple[Hashable, str], Kernel] = {}
_mode: ContextVar[Mode] = ContextVar("mode")
_chosen: dict[tuple[str, str], str] = {}


class _Setting:
    """Mode of this thread or asyncio task as an attribute, because torch.compile can guard on attributes but not on a ContextVar."""

    # `ContextVar.get(self)` returns its default, this object, if no mode is set. Guards can read a property over a C function.
    set_here = property(_mode.get)
    traced: Mode | None = None  # set by `use_kernels` inside a compiled function, while it is traced

    def read(self) -> Mode:
        found: Mode | _Setting = self.traced or self.set_here
        return "auto" if isinstance(found, _Setting) else found


_setting = _Setting()
_ONNX = "torch.onnx._internal.exporter"
"""Module that `torch.onnx.is_in_onnx_export` loads, which is slow. If it is not loaded, no export is running."""


def kernel(operation: Hashable, device: str, refuses: Callable[..., str | None]) -> Callable[..., Any]:
    """Register the decorated function as the kernel of an operation (a step function or a name) on "cpu" or "cuda"."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        KERNELS[operation, device] = Kernel(f"{run.__module__.removeprefix('dendrix.')}.{run.__name__}", run, refuses)
        return run

    return register


@contextlib.contextmanager
def use_kernels(mode: Mode) -> Iterator[None]:
    """Select the kernel mode of this thread or asyncio task.

    Args:
        mode: "auto", the default, uses kernels where they are supported; "reference" uses plain torch; "required" raises a KernelError
            where there is no kernel or it refuses.
    """
    expect_one_of(mode, get_args(Mode), "mode")
    if torch.compiler.is_compiling():
        outside, _setting.traced = _setting.traced, mode
        try:
            yield
        finally:
            _setting.traced = outside
        return
    token = _mode.set(mode)
    try:
        yield
    finally:
        _mode.reset(token)


def find_kernel(operation: Hashable, device: str, *args: Any, **params: Any) -> Kernel | None:
    """Return the kernel for an operation on these arguments, or None for the reference.

    Raises:
        KernelError: the mode is "required" and there is no kernel or it refuses; not raised while torch.compile traces.
    """
    found, mode = _table().get((operation, device)), _setting.read()
    if mode == "reference":
        reason: str | None = "reference forced"
    elif found is None:
        reason = f"no kernel for {device}"
    else:
        reason = transform() or found.refuses(*args, **params)
    if not torch.compiler.is_compiling():
        if torch._C._len_torch_dispatch_stack() and "torch.utils.flop_counter" in sys.modules:
            from ..kernels.flops import count_kernels

            count_kernels()
        name = _name(operation)
        _chosen[name, device] = found.name if found and reason is None else f"reference ({reason})"
        if mode == "required" and reason is not None:
            raise KernelError(f"A kernel for {name} was required, but: {reason}. Change the input or use mode 'auto'.")
    return found if reason is None else None


def too_small(x: Tensor) -> str | None:
    """Return a reason to refuse an input with too few elements, or None."""
    return f"{x.numel()} elements are fewer than {SMALLEST}" if x.numel() < SMALLEST else None


def transform() -> str | None:
    """Return the active transform of torch that kernels do not support, or None. Kernels support a call and one backward pass."""
    if torch._C._are_functorch_transforms_active():
        return "a transform of torch.func is active"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation is active"
    if torch._C._get_tracing_state() is not None:
        return "torch.jit traces"
    if _ONNX in sys.modules and torch.onnx.is_in_onnx_export():
        return "torch.onnx exports"
    return None


def _table() -> dict[tuple[Hashable, str], Kernel]:
    # Imported late because the kernels import this module, and to keep `import dendrix` fast.
    from .. import kernels  # noqa: F401

    return KERNELS


def _name(operation: Hashable) -> str:
    return getattr(operation, "__name__", str(operation))


def known_kernels() -> dict[str, str]:
    """Return all registered kernels by operation and device, including those that cannot run on this machine."""
    return dict(sorted((f"{_name(operation)} on {device}", found.name) for (operation, device), found in _table().items()))


def record_choice(operation: str, device: str, what: str) -> None:
    """Record the algorithm that a kernel chose, for `chosen_kernels`."""
    if not torch.compiler.is_compiling():
        _chosen[operation, device] = what


@contextlib.contextmanager
def unrecorded() -> Iterator[None]:
    """Restore the record of choices afterwards, for checks that are not part of a run."""
    before = dict(_chosen)
    try:
        yield
    finally:
        _chosen.clear()
        _chosen.update(before)


def chosen_kernels() -> dict[str, str]:
    """Return the last kernel by operation and device, or the reason why the reference ran; for run records and `--explain`."""
    return {f"{name} on {device}": what for (name, device), what in sorted(_chosen.items())}
