"""Segments that store the union of several patterns: size of the union and error rates.

n, a, s, theta, v, `failure`, `log` and `backend` as in `probability`; the segment stores m random patterns of s cells each. With `m=None`,
`s` is a list of the sizes of the patterns, and the other arguments broadcast.
Source of the equations: Ahmad and Hawkins (2016), arXiv 1601.00720v2.
"""

import functools
import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from . import chain
from .arguments import Counts, Result, at_most, choose, integers, plain, probability
from .counting import counted
from .noise import overlaps, transmitted
from .tails import log_complement, upper_tails
from .union_counting import Sizes, cover_share, covered_odds, mode_odds

MODES = ("exact", "plugin_round", "plugin_real", "bloom")

_Settings: TypeAlias = list[NDArray[Any]]


def union_size(n: Counts, s: Counts, m: Counts | None = None, *, log: bool = False, backend: str = "float64") -> Result:
    """Compute the expected number of cells in the union of m random patterns.

    Args:
        n, s, m, log, backend: see the module.
    Raises:
        InputError: n = 0, s > n, `m` is None and `s` is not a list, or as in `false_positive`.
    Source: Eq (13), exact; unequal patterns as n (1 - prod(1 - s_i / n)).
    """
    (n, stored), _ = _settings(s, m, n=n)
    if choose(backend) == "float64":
        log_open = np.asarray(np.frompyfunc(_log_open, 2, 1)(n, stored), np.float64)
        return plain(np.log(n) + log_complement(log_open) if log else -n * np.expm1(log_open))
    share = counted(cover_share, (n, stored), log, backend)
    if not log:
        return n * share
    import mpmath

    return np.frompyfunc(mpmath.log if backend == "mpmath" else math.log, 1, 1)(n) + share


def union_false_positive(
    n: Counts,
    a: Counts,
    s: Counts,
    theta: Counts,
    m: Counts | None = None,
    mode: str = "exact",
    *,
    failure: float | Fraction = 0.0,
    log: bool = False,
    backend: str = "float64",
) -> Result:
    """Compute the false-positive rate of a segment that stores the union of m random patterns.

    Args:
        n, a, s, theta, m, failure, log, backend: see the module.
        mode: "exact", or an approximation: "plugin_real" replaces s in Eq (4) by the expected size of the union, a real number of draws;
            "plugin_round" rounds this size to the nearest integer; "bloom" assumes independent cells, Eq (12) for any theta.
    Raises:
        InputError: as in `union_size` and `false_positive`, the mode is unknown, or exact fractions would take minutes.
    Source: Eqs (11), (12), (14); the exact value, by the covering chain, is ours.
    """
    choose(mode, MODES, "mode")
    failure = probability("failure", failure)
    (n, a, theta, stored), _ = _settings(s, m, n=n, a=a, theta=theta)
    at_most(a=a, n=n)
    if choose(backend) == "float64":
        return _each(functools.partial(_log_false_positive, mode=mode, failure=float(failure)), (n, a, theta, stored), log)
    return counted(functools.partial(mode_odds, mode=mode, failure=failure), (n, a, theta, stored), log, backend)


def union_false_negative(
    n: Counts,
    a: Counts,
    s: Counts,
    v: Counts,
    theta: Counts,
    m: Counts | None = None,
    *,
    failure: float | Fraction = 0.0,
    log: bool = False,
    backend: str = "float64",
) -> Result:
    """Compute P[a segment misses one of its m stored patterns if exactly v of that pattern's a cells are moved].

    The segment has synapses to s cells of the pattern and, for each other pattern, to s random cells, which may include the moved ones. In
    a list of sizes, the first is that of the pattern.

    Args:
        n, a, s, v, theta, m, failure, log, backend: see the module.
    Raises:
        InputError: s > a, v > a, v > n - a (too few inactive cells), m = 0, or as in `union_false_positive`.
    Source: ours, by the covering chain; Eq (6) for m = 1.
    """
    failure = probability("failure", failure)
    (n, a, v, theta, others), own = _settings(s, m, target=True, n=n, a=a, v=v, theta=theta)
    at_most(a=a, n=n)
    at_most(s=own, a=a)
    at_most(v=v, a=a)
    at_most(**{"v": v, "n - a": n - a})
    if choose(backend) == "float64":
        return _each(functools.partial(_log_false_negative, failure=float(failure)), (n, a, own, v, theta, others), log)
    return counted(functools.partial(covered_odds, failure=failure), (n, a, own, v, theta, others), log, backend)


def _settings(s: Counts, m: Counts | None, target: bool = False, **counts: Counts) -> tuple[_Settings, NDArray[np.int64]]:
    """Return the settings and, last, the number of stored patterns by size; and the size of the first pattern.

    Args:
        s, m: see the module.
        target: exclude the first pattern from the stored ones.
        counts: other settings by name.
    """
    if m is None:
        (listed,) = integers(s=s)
        if listed.ndim != 1 or not listed.size:
            raise InputError(f"s: expected a list of sizes if m is None, got {s!r}. Give m, or list the size of every pattern.")
        arrays = integers(**counts)
        sizes: Sizes = dict(Counter(listed[int(target) :].tolist()))
        stored = np.full(arrays[0].shape, sizes, object)
        own, largest = np.broadcast_to(listed[0], arrays[0].shape), listed.max()
    else:
        *arrays, own, times = integers(**counts, s=s, m=m)
        if target and (times < 1).any():
            raise InputError("m: expected at least 1 pattern, got 0. Include the pattern that may be missed.")
        stored = np.asarray(np.frompyfunc(lambda size, count: {size: count - target}, 2, 1)(own, times), object)
        largest = own
    if (arrays[0] < 1).any():
        raise InputError("n: expected at least 1 cell, got 0. Choose a larger n.")
    at_most(s=largest, n=arrays[0])
    return [*arrays, stored], own


def _each(logarithm: Callable[..., float], settings: tuple[NDArray[Any], ...], log: bool) -> Result:
    """Compute the probability at every setting from a function that returns its logarithm."""
    with np.errstate(all="ignore"):  # the function handles infinities itself
        logs = np.asarray(np.frompyfunc(logarithm, len(settings), 1)(*settings), np.float64)
    return plain(logs if log else np.exp(logs))


def _log_open(n: int, stored: Sizes) -> float:
    """Compute log P[a cell is not in any pattern]."""
    return sum(times * (math.log1p(-size / n) if size < n else -math.inf) for size, times in stored.items() if times)


def _log_share(n: int, stored: Sizes) -> float:
    return float(log_complement(np.asarray(_log_open(n, stored))))


def _log_false_positive(n: int, a: int, theta: int, stored: Sizes, mode: str, failure: float) -> float:
    most = min(a, sum(size * times for size, times in stored.items()))
    if mode != "exact":
        cover = math.exp(_log_share(n, stored))
        if mode == "bloom":
            law = functools.partial(upper_tails, cover, math.exp(_log_open(n, stored)), a, replaced=True, log=True)
        else:
            draws = _unrounded(n * cover)
            law = functools.partial(upper_tails, a, n - a, draws if mode == "plugin_real" else math.floor(draws + 0.5), log=True)
        if not failure:
            return float(law(theta))
        return float(transmitted(law(overlaps(a), exactly=True), theta, failure, False, True))
    if failure:
        return float(transmitted(chain.distribution(n, a, stored, _from_nothing(most)), theta, failure, False, True))
    if theta <= 0 or theta > most:
        return 0.0 if theta <= 0 else -math.inf
    bound = upper_tails(a, n - a, min(n, sum(size * times for size, times in stored.items())), theta, log=True)
    hits = chain.reached(n, a, stored, _from_nothing(theta), float(-bound) / theta)
    return hits if hits < -math.log(2) else math.log1p(-math.exp(chain.missed(n, a, stored, _from_nothing(theta))))


def _unrounded(size: float) -> float:
    """Return a size without its rounding error if it is a whole number or a half, at which the approximations are discontinuous."""
    near = round(2 * size) / 2
    return near if math.isclose(size, near, rel_tol=1e-12) else size


def _from_nothing(top: int) -> chain.Logs:
    return np.where(np.arange(top + 1) == 0, 0.0, -math.inf)


def _log_false_negative(n: int, a: int, s: int, v: int, theta: int, others: Sizes, failure: float) -> float:
    most = min(a, s + sum(size * times for size, times in others.items()))
    if not failure and (theta <= 0 or theta > most):
        return 0.0 if theta > most else -math.inf
    top = most if failure else theta
    start = upper_tails(a - v, v, s, np.arange(top + 1), exactly=True, log=True)
    start[top] = upper_tails(a - v, v, s, top, log=True)
    if failure:
        return float(transmitted(chain.distribution(n, a, others, start), theta, failure, True, True))
    misses = chain.missed(n, a, others, start)
    return misses if misses < -math.log(2) else math.log1p(-math.exp(chain.reached(n, a, others, start, 0.0)))
