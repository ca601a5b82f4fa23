"""How many patterns there are, and how many that differ enough."""

import math
from typing import Any, NamedTuple

import numpy as np

from .arguments import Counts, Result, at_most, integers, whole
from .counting import affordable
from .probability import false_positive


class Packing(NamedTuple):
    """Bounds on the size of the largest set of patterns that pairwise have fewer than theta cells in common."""

    at_least: int
    at_most: int


def pattern_count(n: Counts, a: Counts, *, log: bool = False) -> Any:
    """How many patterns of a active cells among n there are, a whole number, or its natural logarithm.

    Raises:
        ValueError: a > n, or a number of more than 1e6 bits.
    Source: Ahmad and Hawkins (2015), arXiv 1503.07469, Eq (1).
    """
    n, a = integers(n=n, a=a)
    at_most(a=a, n=n)
    return np.frompyfunc(lambda n, a: math.log(_choose(n, a)) if log else _choose(n, a), 2, 1)(n, a)


def exact_match_probability(n: Counts, a: Counts, *, log: bool = False, backend: str = "float64") -> Result:
    """P[a random pattern of a active cells among n is identical to a given one].

    Raises:
        ValueError: as `false_positive`.
    Source: Ahmad and Hawkins (2015), arXiv 1503.07469, Eq (2).
    """
    return false_positive(n, a, a, a, log=log, backend=backend)


def packing_bounds(n: int, a: int, theta: int) -> Packing:
    """How many patterns of a active cells among n can have pairwise fewer than theta cells in common.

    At least the number of all patterns over the number that a single one excludes (Gilbert and Varshamov), and at most what remains when
    one cell after another is fixed: floor(n / a floor((n - 1) / (a - 1) ... )), theta times (Johnson).

    Raises:
        ValueError: a > n, theta > a, or see `false_positive`.
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
