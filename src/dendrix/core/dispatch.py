"""The kernel table: fast implementations found by (operation, device type). A kernel may refuse, and says why."""

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
"""Elements of an input below which numba is not worth loading."""


@dataclass(frozen=True)
class Kernel:
    """One fast implementation of an operation on one type of device.

    `run` and `refuses` take the arguments of the operation; `refuses` returns None or the reason why not.
    """

    name: str
    run: Callable[..., Any]
    refuses: Callable[..., str | None]


KERNELS: dict[tuple[Hashable, str], Kernel] = {}
_mode: ContextVar[Mode] = ContextVar("mode")
_chosen: dict[tuple[str, str], str] = {}


class _Setting:
    """The mode of this thread or asyncio task, as an attribute, which torch.compile can guard on; it cannot read a ContextVar."""

    # `ContextVar.get` takes a default: the object itself where no mode is set. A property over a C function is read by guards, too.
    set_here = property(_mode.get)
    traced: Mode | None = None  # set by a `use_kernels` inside a compiled function, and only while that is traced

    def read(self) -> Mode:
        found: Mode | _Setting = self.traced or self.set_here
        return "auto" if isinstance(found, _Setting) else found


_setting = _Setting()
_ONNX = "torch.onnx._internal.exporter"
"""Loaded by `torch.onnx.is_in_onnx_export`, slowly; without it there is no export."""


def kernel(operation: Hashable, device: str, refuses: Callable[..., str | None]) -> Callable[..., Any]:
    """Register the decorated function as the kernel of an operation (a rule or a name) on "cpu" or "cuda"."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        KERNELS[operation, device] = Kernel(f"{run.__module__.removeprefix('dendrix.')}.{run.__name__}", run, refuses)
        return run

    return register


@contextlib.contextmanager
def use_kernels(mode: Mode) -> Iterator[None]:
    """Choose how operations run, in this thread or asyncio task: "auto" (the default), "reference" (plain torch), "required".

    Under "required" a kernel that refuses is an error.
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
    """The kernel that will run this operation on these arguments, or None for the reference.

    Raises:
        KernelError: kernels are required and there is none, or it refuses; not while torch.compile traces.
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
    """The reason against a kernel for a small input, or None."""
    return f"{x.numel()} elements are fewer than {SMALLEST}" if x.numel() < SMALLEST else None


def transform() -> str | None:
    """The active transform of torch that kernels do not support, or None. They support a call and one backward pass."""
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
    # Here and not on top: the kernels import this module, and `import dendrix` stays fast.
    from .. import kernels  # noqa: F401

    return KERNELS


def _name(operation: Hashable) -> str:
    return getattr(operation, "__name__", str(operation))


def known_kernels() -> dict[str, str]:
    """All registered kernels by operation and device, whether or not they can run here."""
    return dict(sorted((f"{_name(operation)} on {device}", found.name) for (operation, device), found in _table().items()))


def record_choice(operation: str, device: str, what: str) -> None:
    """Record which algorithm a kernel chose, for `chosen_kernels`."""
    if not torch.compiler.is_compiling():
        _chosen[operation, device] = what


@contextlib.contextmanager
def unrecorded() -> Iterator[None]:
    """Leave the record of choices as it was: for checks that are no part of a run."""
    before = dict(_chosen)
    try:
        yield
    finally:
        _chosen.clear()
        _chosen.update(before)


def chosen_kernels() -> dict[str, str]:
    """The kernel that ran last for each operation and device, or why the reference ran. For run records and `--explain`."""
    return {f"{name} on {device}": what for (name, device), what in sorted(_chosen.items())}
