"""The kernel table: fast implementations found by (operation, device type). A kernel may refuse, and says why."""

import contextlib
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from ..checks import expect_one_of
from ..errors import KernelError

Mode = Literal["auto", "reference", "required"]


@dataclass(frozen=True)
class Kernel:
    """One fast implementation of an operation on one type of device.

    `run` and `refuses` take the arguments of the operation; `refuses` returns None or the reason why not.
    """

    name: str
    run: Callable[..., Any]
    refuses: Callable[..., str | None]


KERNELS: dict[tuple[Hashable, str], Kernel] = {}
_mode: Mode = "auto"
_chosen: dict[tuple[str, str], str] = {}


def kernel(operation: Hashable, device: str, refuses: Callable[..., str | None]) -> Callable[..., Any]:
    """Register the decorated function as the kernel of an operation (a rule or a name) on "cpu" or "cuda"."""

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        KERNELS[operation, device] = Kernel(f"{run.__module__.removeprefix('dendrix.')}.{run.__name__}", run, refuses)
        return run

    return register


@contextlib.contextmanager
def use_kernels(mode: Mode) -> Iterator[None]:
    """Choose how operations run: "auto" (the default), "reference" (plain torch), "required" (a refusal is an error)."""
    global _mode
    expect_one_of(mode, get_args(Mode), "mode")
    before, _mode = _mode, mode
    try:
        yield
    finally:
        _mode = before


def find_kernel(operation: Hashable, device: str, *args: Any, **params: Any) -> Kernel | None:
    """The kernel that will run this operation on these arguments, or None for the reference.

    Raises:
        KernelError: kernels are required and there is none, or it refuses; not while torch.compile traces.
    """
    found = _table().get((operation, device))
    if _mode == "reference":
        reason: str | None = "reference forced"
    elif found is None:
        reason = f"no kernel for {device}"
    else:
        reason = found.refuses(*args, **params)
    if not torch.compiler.is_compiling():
        name = _name(operation)
        _chosen[name, device] = found.name if found and reason is None else f"reference ({reason})"
        if _mode == "required" and reason is not None:
            raise KernelError(f"A kernel for {name} was required, but: {reason}. Change the input or use mode 'auto'.")
    return found if reason is None else None


def _table() -> dict[tuple[Hashable, str], Kernel]:
    # Here and not on top: the kernels import this module, and `import dendrix` stays fast.
    from .. import kernels  # noqa: F401

    return KERNELS


def _name(operation: Hashable) -> str:
    return getattr(operation, "__name__", str(operation))


def known_kernels() -> dict[str, str]:
    """The kernel of every operation and device that has one, whether or not it would run here."""
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
    """What ran last for each operation and device, with the reason where it was the reference. For run records and `--explain`."""
    return {f"{name} on {device}": what for (name, device), what in sorted(_chosen.items())}
