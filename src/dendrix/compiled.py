"""Just-in-time compilation of loops over numpy arrays with numba."""

import functools
from collections.abc import Callable
from typing import Any


@functools.cache
def compiled(loop: Callable[..., Any], reorder: bool = True) -> Callable[..., Any]:
    """Compile a loop to machine code that releases the interpreter lock. numba is imported on the first call, which takes 0.4 s.

    Args:
        loop: module-level function of numpy arrays; called uncompiled, it gives the same result slowly.
        reorder: allow the compiler to reorder sums for speed; False rounds in the written order, as plain Python does.
    Returns:
        the compiled function; the same one for the same arguments.
    """
    import numba

    fastmath = {"reassoc", "contract", "arcp", "nsz"} if reorder else False
    machine: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy", fastmath=fastmath)(loop)
    return machine
