"""Compiled copies of plain Python loops: one per variant, found again in numba's disk cache by the next process."""

import hashlib
from collections.abc import Callable
from types import FunctionType
from typing import Any

from ...compiled import cached_jit

_ANY_ORDER = {"reassoc", "contract", "arcp", "nsz"}
"""Sums may be reordered and fused; a NaN stays one."""


def specialise(template: Callable[..., Any], any_order: bool = False, contract: bool = False, **bound: Any) -> Any:
    """Compile a copy of `template` whose global names in `bound` have these values.

    numba folds globals in as constants, so that a flag costs nothing inside a loop and a bound function is inlined. A closure
    would do the same, but a closure over a compiled function is never found in the disk cache. The name of the copy carries a
    digest of what it is made of: the cache tells variants apart, and an edited helper makes a new entry.

    Args:
        template: a module-level function.
        any_order: whether sums may be taken in any order, for speed.
        contract: whether a product and the sum that it goes into are rounded once; the order stays as written.
        **bound: numbers, booleans, and functions made by `specialise`; names that the template does not use are left out.
    Returns:
        the numba dispatcher.
    """
    code = template.__code__
    bound = {name: value for name, value in bound.items() if name in code.co_names}
    values = sorted((k, getattr(v, "__name__", v)) for k, v in bound.items())
    parts = [any_order, contract, code.co_code, code.co_consts, code.co_names, values]
    name = f"{template.__name__}_{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"
    copy = FunctionType(code, {**template.__globals__, **bound}, name, template.__defaults__)
    copy.__qualname__ = name
    copy.__module__ = template.__module__
    fastmath = _ANY_ORDER if any_order else {"contract"} if contract else False
    # nogil for our threads; numpy's error model lets divisions vectorise; without fastmath a forward pass equals torch to the bit.
    return cached_jit(copy, fastmath)
