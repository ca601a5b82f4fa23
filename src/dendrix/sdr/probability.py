"""How often a segment fires on a random pattern, and how often it misses its own.

n potential connections, a active cells, s synapses on the segment, theta the threshold, v active cells moved by noise, m segments.
Every function takes integers or arrays that broadcast; `log=True` returns the natural logarithm, and `backend` is `"float64"`,
`"exact"` (fractions) or `"mpmath"` (at the caller's `mpmath.mp` precision).
Source of the equations: Ahmad and Hawkins (2016), arXiv 1601.00720v2.
"""

import numpy as np
from numpy.typing import NDArray

from .arguments import Counts, Result, at_most, choose, integers, plain
from .tails import upper_tails


def false_positive(n: Counts, a: Counts, s: Counts, theta: Counts, *, log: bool = False, backend: str = "float64") -> Result:
    """P[a random pattern of a active cells among n has at least theta in common with a segment of s synapses].

    1 where theta <= max(0, a + s - n), 0 where theta > min(a, s).

    Raises:
        ValueError: a > n, s > n, or see `integers`.
    Source: Eq (4).
    """
    choose(backend)
    n, a, s, theta = integers(n=n, a=a, s=s, theta=theta)
    at_most(a=a, n=n)
    at_most(s=s, n=n)
    return plain(upper_tails(a, n - a, s, theta, log=log))


def false_negative(a: Counts, s: Counts, v: Counts, theta: Counts, *, log: bool = False, backend: str = "float64") -> Result:
    """P[a segment with s of a pattern's a cells misses it when exactly v of them are moved elsewhere].

    0 where v <= s - theta, the margin that is guaranteed; 1 where theta > s.

    Raises:
        ValueError: s > a, v > a, or see `integers`.
    Source: Eq (6).
    """
    choose(backend)
    a, s, v, theta = integers(a=a, s=s, v=v, theta=theta)
    at_most(s=s, a=a)
    at_most(v=v, a=a)
    return plain(upper_tails(v, a - v, s, s - theta + 1, log=log))


def set_false_positive(
    n: Counts, a: Counts, s: Counts, theta: Counts, m: Counts | None = None, *, log: bool = False, backend: str = "float64"
) -> Result:
    """P[a random pattern fires at least one of m segments].

    Exact for independent random segments. With `m=None` the last axis of `s` and `theta` lists the segments, of any sizes.

    Source: Eq (8).
    """
    single = false_positive(n, a, s, theta, log=True)
    none = np.log1p(-np.exp(single)) * m if m is not None else np.log1p(-np.exp(single)).sum(-1)
    return plain(np.asarray(_log1mexp(none) if log else -np.expm1(none)))


def _log1mexp(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(-np.expm1(x))
