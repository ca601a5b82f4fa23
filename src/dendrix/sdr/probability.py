"""False-positive and false-negative rates of dendritic segments.

Symbols: n cells, a active cells, s synapses of the segment, threshold theta, v active cells moved by noise, m segments. All functions
accept integers or arrays that broadcast. `log=True` returns the natural logarithm. `backend` is "float64", "exact" (a `Fraction`; its
logarithm is the nearest float) or "mpmath" (in the precision `mpmath.mp.prec`); the latter two return object arrays for arrays.
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
    """Compute the false-positive rate: P[overlap of a random pattern with a segment >= theta].

    The rate is 1 for theta <= max(0, a + s - n) and 0 for theta > min(a, s). Settings that differ only in theta share one pass over the
    overlaps.

    Args:
        n: number of cells.
        a: active cells of the random pattern.
        s: synapses of the segment.
        theta: overlap from which the segment matches.
        failure: probability that a synapse of the overlap does not transmit, one for all settings.
        log, backend: see the module.
    Raises:
        InputError: a > n or s > n, a count is not an integer or too large, `failure` is outside [0, 1], or the shapes do not broadcast.
    Source: Eq (4); with failure ours.
    """
    n, a, s, theta = integers(n=n, a=a, s=s, theta=theta)
    at_most(a=a, n=n)
    at_most(s=s, n=n)
    return _tail((n, a, s), theta, failure, False, log, backend)


def false_negative(
    a: Counts, s: Counts, v: Counts, theta: Counts, *, failure: float | Fraction = 0.0, log: bool = False, backend: str = "float64"
) -> Result:
    """Compute the false-negative rate: P[a segment misses its pattern if exactly v of the active cells are moved].

    Without failures, the rate is 0 for v <= s - theta (the guaranteed noise tolerance) or theta <= 0, and 1 for theta > s.

    Args:
        a: active cells of the stored pattern.
        s: synapses of the segment, all on active cells of the pattern.
        v: number of active cells that are moved elsewhere.
        theta: overlap from which the segment matches.
        failure: probability that a synapse of the overlap does not transmit, one for all settings.
        log, backend: see the module.
    Raises:
        InputError: s > a or v > a, a count is not an integer or too large, `failure` is outside [0, 1], or the shapes do not broadcast.
    Source: Eq (6); with failure ours.
    """
    a, s, v, theta = integers(a=a, s=s, v=v, theta=theta)
    at_most(s=s, a=a)
    at_most(v=v, a=a)
    if probability("failure", failure) == 0 and backend == "float64":
        return plain(upper_tails(v, a - v, s, s - theta + 1, log=log))
    return _tail((a, a - v, s), theta, failure, True, log, backend)


def _tail(urn: tuple[Any, Any, Any], theta: Any, failure: float | Fraction, missed: bool, log: bool, backend: str) -> Result:
    """Compute P[the overlap is at least theta, or below it]; `urn` holds the numbers of cells, active cells and synapses."""
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
    """Compute the number of patterns whose overlap with a segment is exactly b.

    Args:
        n, a, s: as in `false_positive`.
        b: overlap.
        log: return the natural logarithm.
    Returns:
        an integer or float; an object array of these for arrays.
    Raises:
        InputError: as in `false_positive`.
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
    """Compute P[a random pattern matches at least one of m segments], exact for independent random segments.

    Args:
        n, a, s, theta, log, backend: as in `false_positive`.
        m: number of segments; None if the last axis of `s` and `theta` lists the segments, which may differ in size and threshold.
        failure: probability that a synapse of the overlap does not transmit.
    Raises:
        InputError: as in `false_positive`, `m` is None for a single s and theta, or exact fractions would take minutes.
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
        # If the probability is this small, the union bound is exact to the last digit.
        logs = np.where(silent > -1e-200, few, log_complement(silent))
        return plain(logs if log else np.exp(logs))

    sets = np.empty(members[0].shape[:-1], object)
    for index in np.ndindex(sets.shape):
        sets[index] = list(zip(*(values[index].tolist() for values in members), strict=True))
    return counted(functools.partial(_any_fires, failure=failure), (sets,), log, backend)


def _any_fires(members: Sequence[tuple[int, ...]], number: Number, failure: float | Fraction) -> Odds:
    """Compute the odds that one of a set of segments matches; its members are (n, a, s, theta, number of such segments)."""
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
