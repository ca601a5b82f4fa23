"""Compiled copies of Python loops, one per variant, stored in the disk cache of numba."""

import hashlib
from collections.abc import Callable
from types import FunctionType
from typing import Any

from ...compiled import cached_jit

_ANY_ORDER = {"reassoc", "contract", "arcp", "nsz"}
"""Sums may be reordered and fused; NaN is preserved."""


def specialise(
    template: Callable[..., Any],
    any_order: bool = False,
    contract: bool = False,
    inlined: bool = False,
    borrows: bool = False,
    **bound: Any,
) -> Any:
    """Compile a copy of `template` in which global names have the values in `bound`.

    numba treats globals as constants: flags take no time inside a loop, and bound functions are inlined. Closures over compiled functions,
    the alternative, are not found in the disk cache. The name of the copy contains a digest of its source and bound values, so that
    variants and edited helpers have separate cache entries.

    Args:
        template: a module-level function.
        any_order: allow sums in any order, which is faster.
        contract: allow fused multiply-add; the order of operations is kept.
        inlined: compile the copy into the loops that call it, see `cached_jit`.
        borrows: do not count references to arrays, see `cached_jit`.
        **bound: numbers, booleans, and functions made by `specialise`; names that the template does not use are ignored.
    Returns:
        the numba dispatcher.
    """
    code = template.__code__
    bound = {name: value for name, value in bound.items() if name in code.co_names}
    values = sorted((k, getattr(v, "__name__", v)) for k, v in bound.items())
    parts = [any_order, contract, inlined, code.co_code, code.co_consts, code.co_names, values, *filter(None, [borrows])]
    name = f"{template.__name__}_{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"
    copy = FunctionType(code, {**template.__globals__, **bound}, name, template.__defaults__)
    copy.__qualname__ = name
    copy.__module__ = template.__module__
    fastmath = _ANY_ORDER if any_order else {"contract"} if contract else False
    # nogil for our threads; numpy's error model lets divisions vectorise; without fastmath a forward pass equals torch to the bit.
    return cached_jit(copy, fastmath, inlined, borrows)
