"""How often a segment fires on a random pattern, and how often it misses its own.

n potential connections, a active cells, s synapses on the segment, theta the threshold, v active cells moved by noise, m segments.
Every function takes integers or arrays that broadcast. `log=True` returns the natural logarithm. `backend` is "float64", "exact"
(a `Fraction`; its logarithm as the nearest float) or "mpmath" (at the caller's `mpmath.mp.prec`); arrays give object arrays there.
Source of the equations: Ahmad and Hawkins (2016), arXiv 1601.00720v2.
"""

import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import InputError
from .arguments import Counts, Result, at_most, choose, integers, plain, probability
from .counting import Number, Odds, affordable, at_least, counted, hypergeometric, logarithm
from .noise import overlaps, transmitted
from .tails import log_complement, log_sum, upper_tails


def false_positive(
    n: Counts, a: Counts, s: Counts, theta: Counts, *, failure: float | Fraction = 0.0, log: bool = False, backend: str = "float64"
) -> Result:
    """P[a random pattern of a active cells among n has at least theta in common with a segment of s synapses].

    1 where theta <= max(0, a + s - n), 0 where theta > min(a, s). Settings that differ in theta alone share one pass over the overlaps.

    Args:
        failure: probability that a synapse of the overlap does not transmit, one for all settings.
    Raises:
        ValueError: a > n or s > n, a count that is no whole number or too large, a failure outside [0, 1], shapes that do not broadcast.
    Source: Eq (4); with failure ours.
    """
    n, a, s, theta = integers(n=n, a=a, s=s, theta=theta)
    at_most(a=a, n=n)
    at_most(s=s, n=n)
    return _tail((n, a, s), theta, failure, False, log, backend)


def false_negative(
    a: Counts, s: Counts, v: Counts, theta: Counts, *, failure: float | Fraction = 0.0, log: bool = False, backend: str = "float64"
) -> Result:
    """P[a segment with s of a pattern's a cells misses it when exactly v of them are moved elsewhere].

    Without failure, 0 where v <= s - theta, the margin that is guaranteed; 1 where theta > s; and 0 where theta <= 0.

    Args:
        failure: probability that a synapse of the overlap does not transmit, one for all settings.
    Raises:
        ValueError: s > a or v > a, a count that is no whole number or too large, a failure outside [0, 1], shapes that do not broadcast.
    Source: Eq (6); with failure ours.
    """
    a, s, v, theta = integers(a=a, s=s, v=v, theta=theta)
    at_most(s=s, a=a)
    at_most(v=v, a=a)
    if probability("failure", failure) == 0 and backend == "float64":
        return plain(upper_tails(v, a - v, s, s - theta + 1, log=log))
    return _tail((a, a - v, s), theta, failure, True, log, backend)


def _tail(urn: tuple[Any, Any, Any], theta: Any, failure: float | Fraction, missed: bool, log: bool, backend: str) -> Result:
    """P[the overlap reaches theta, or misses it]; the urn is how many cells, how many of them active, how many synapses."""
    choose(backend)
    failure = probability("failure", failure)
    if backend == "float64":
        cells, active, synapses = urn
        if not failure:
            return plain(upper_tails(active, cells - active, synapses, theta, log=log))
        overlap = overlaps(int(np.minimum(active, synapses).max(initial=0)), active.size)
        law = upper_tails(active[..., None], (cells - active)[..., None], synapses[..., None], overlap, exactly=True, log=True)
        return plain(transmitted(law, theta, float(failure), missed, log))

    def odds(cells: int, active: int, synapses: int, theta: int, number: Number) -> Odds:
        reached = at_least(hypergeometric(cells, active, synapses, number), theta, failure)
        return Odds(reached.misses, reached.hits) if missed else reached

    return counted(odds, (*urn, theta), log, backend)


def overlap_count(n: Counts, a: Counts, s: Counts, b: Counts, *, log: bool = False) -> Any:
    """How many patterns of a active cells among n have exactly b in common with a segment of s synapses, a whole number.

    Raises:
        ValueError: as `false_positive`.
    Source: Eq (3).
    """
    n, a, s, b = integers(n=n, a=a, s=s, b=b)
    at_most(a=a, n=n)
    at_most(s=s, n=n)

    def count(n: int, a: int, s: int, b: int) -> float:
        affordable(a * math.log2(n + 1))
        ways = math.comb(s, b) * math.comb(n - s, a - b) if b <= a else 0
        return (math.log(ways) if ways else -math.inf) if log else ways

    return np.frompyfunc(count, 4, 1)(n, a, s, b)


def set_false_positive(
    n: Counts,
    a: Counts,
    s: Counts,
    theta: Counts,
    m: Counts | None = None,
    *,
    failure: float | Fraction = 0.0,
    log: bool = False,
    backend: str = "float64",
) -> Result:
    """P[a random pattern fires at least one of m segments], exact for segments that are independent and random.

    Args:
        m: how many segments; None if the last axis of `s` and `theta` lists the segments, of any sizes and thresholds.
        failure: probability that a synapse of the overlap does not transmit.
    Raises:
        ValueError: as `false_positive`, or nothing is listed and `m` is None, or fractions that would take minutes.
    Source: Eq (8); unequal segments as 1 - prod(1 - p_i).
    """
    counts = integers(n=n, a=a, s=s, theta=theta, m=1 if m is None else m)
    if m is None and not np.ndim(s) and not np.ndim(theta):
        raise InputError("m: expected the number of segments, got None with a single s and theta. Give m, or list s or theta.")
    at_most(a=counts[1], n=counts[0])
    at_most(s=counts[2], n=counts[0])
    members = counts if m is None else [values[..., None] for values in counts]
    if choose(backend) == "float64":
        times = members.pop()
        single = np.asarray(false_positive(*members, failure=failure, log=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            silent = np.where(times > 0, times * log_complement(single), 0.0).sum(-1)
            few = log_sum(single + np.log(times))
        # Where 1 - p rounds to 1, and far above, the union bound is exact to the last digit.
        logs = np.where(silent > -1e-200, few, log_complement(silent))
        return plain(logs if log else np.exp(logs))

    sets = np.empty(members[0].shape[:-1], object)
    for index in np.ndindex(sets.shape):
        sets[index] = list(zip(*(values[index].tolist() for values in members), strict=True))
    return counted(functools.partial(_any_fires, failure=failure), (sets,), log, backend)


def _any_fires(members: Sequence[tuple[int, ...]], number: Number, failure: float | Fraction) -> Odds:
    """Odds that one of a set fires; its members are (n, a, s, theta, how many)."""
    singles = [at_least(hypergeometric(n, a, s, number), theta, failure) for n, a, s, theta, _ in members]
    times = [member[-1] for member in members]
    if number is int:
        silent = Fraction(1)
        for (hits, misses), count in zip(singles, times, strict=True):
            share = Fraction(misses, hits + misses)
            affordable(count * math.log2(share.denominator))
            silent *= share**count
        return Odds(silent.denominator - silent.numerator, silent.numerator)
    import mpmath

    exponent = sum(count * logarithm(odds.misses, odds.hits) for odds, count in zip(singles, times, strict=True) if count)
    return Odds(-mpmath.expm1(exponent), mpmath.exp(exponent))
