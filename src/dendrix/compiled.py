"""Loops over samples, compiled on first use."""

import functools
from collections.abc import Callable
from typing import Any


@functools.cache
def compiled(loop: Callable[..., Any], reorder: bool = True) -> Callable[..., Any]:
    """The loop as machine code that runs without the interpreter lock. numba is imported here, late: it costs 0.4 s.

    Args:
        loop: a module-level function on numpy arrays; as plain Python it does the same, slowly.
        reorder: let sums be reordered for speed; False rounds exactly as written, as plain Python does.
    """
    import numba

    fastmath = {"reassoc", "contract", "arcp", "nsz"} if reorder else False
    machine: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=fastmath)(loop)
    return machine
