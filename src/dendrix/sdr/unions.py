"""Several patterns stored on one segment: the size of their union, and the errors of a segment that holds it.

Source of the equations: Ahmad and Hawkins (2016), arXiv 1601.00720v2; the covering chain is ours.
"""

from collections.abc import Sequence

import numpy as np

from .arguments import Counts, Result, integers
from .probability import false_positive


def union_size(n: Counts, s: Counts | Sequence[int], m: Counts | None = None, *, log: bool = False, backend: str = "float64") -> Result:
    n, s, m = integers(n=n, s=s, m=m)
    size = -n * np.expm1(m * np.log1p(-s / n))
    return float(np.log(size) if log else size)


def _chain(n, a, s, theta, m, start):
    state = start
    T = np.zeros((theta + 1, theta + 1))
    from math import comb

    for k in range(theta):
        for j in range(k, theta):
            T[k, j] = comb(a - k, j - k) * comb(n - a + k, s - j + k) / comb(n, s)
        T[k, theta] = false_positive(n, a - k, s, theta - k)
    T[theta, theta] = 1
    for _ in range(m):
        state = state @ T
    return state


def union_false_positive(
    n: Counts,
    a: Counts,
    s: Counts | Sequence[int],
    theta: Counts,
    m: Counts | None = None,
    mode: str = "exact",
    *,
    log: bool = False,
    backend: str = "float64",
) -> Result:
    if mode == "plugin_round":
        return false_positive(n, a, int(union_size(n, s, m) + 0.5), theta, log=log)
    start = np.zeros(theta + 1)
    start[0] = 1
    result = _chain(n, a, s, theta, m, start)[-1]
    return float(np.log(result) if log else result)


def union_false_negative(
    n: Counts,
    a: Counts,
    s: Counts | Sequence[int],
    v: Counts,
    theta: Counts,
    m: Counts | None = None,
    *,
    log: bool = False,
    backend: str = "float64",
) -> Result:
    from math import comb

    start = np.zeros(theta + 1)
    for b in range(s + 1):
        start[min(theta, s - b)] += comb(s, b) * comb(a - s, v - b) / comb(a, v) if b <= v else 0
    result = _chain(n, a, s, theta, m - 1, start)[:-1].sum()
    return float(np.log(result) if log else result)
