"""Number of patterns, and bounds on the number of patterns with limited pairwise overlap."""

import math
from typing import Any, NamedTuple

import numpy as np

from .arguments import Counts, Result, at_most, integers, whole
from .counting import affordable
from .probability import false_positive


class Packing(NamedTuple):
    """Bounds on the size of the largest set of patterns whose pairwise overlaps are below theta."""

    at_least: int
    at_most: int


def pattern_count(n: Counts, a: Counts, *, log: bool = False) -> Any:
    """Compute the number of patterns with a of n cells active.

    Args:
        n: number of cells.
        a: active cells of a pattern.
        log: return the natural logarithm.
    Returns:
        an integer or float; an object array of these for arrays.
    Raises:
        InputError: a > n, or the number has more than 1e6 bits.
    Source: Ahmad and Hawkins (2015), arXiv 1503.07469, Eq (1).
    """
    n, a = integers(n=n, a=a)
    at_most(a=a, n=n)
    return np.frompyfunc(lambda n, a: math.log(_choose(n, a)) if log else _choose(n, a), 2, 1)(n, a)


def exact_match_probability(n: Counts, a: Counts, *, log: bool = False, backend: str = "float64") -> Result:
    """Compute the probability that a random pattern with a of n cells active equals a given one.

    Args:
        n, a, log, backend: as in `false_positive`.
    Raises:
        InputError: as in `false_positive`.
    Source: Ahmad and Hawkins (2015), arXiv 1503.07469, Eq (2).
    """
    return false_positive(n, a, a, a, log=log, backend=backend)


def packing_bounds(n: int, a: int, theta: int) -> Packing:
    """Bound the number of patterns with a of n cells active whose pairwise overlaps are below theta.

    Lower bound: the number of all patterns divided by the number that one pattern excludes (Gilbert and Varshamov). Upper bound:
    floor(n / a floor((n - 1) / (a - 1) ... )), nested theta times (Johnson).

    Args:
        n: number of cells.
        a: active cells of a pattern.
        theta: overlap that no two patterns reach.
    Raises:
        InputError: a > n, theta > a, or as in `false_positive`.
    Source: Gilbert (1952), Varshamov (1957); Johnson (1962).
    """
    n, a, theta = whole(n=n, a=a, theta=theta)
    at_most(theta=theta, a=a)
    excluded = false_positive(n, a, a, theta, backend="exact")
    most = 1
    for fixed in reversed(range(theta)):
        most = (n - fixed) * most // (a - fixed)
    return Packing(math.ceil(1 / excluded), most)


def _choose(n: int, a: int) -> int:
    affordable(min(a, n - a) * math.log2(n + 1))
    return math.comb(n, a)
