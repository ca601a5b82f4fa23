"""Error rates of unions in integers or arbitrary precision: the backends "exact" and "mpmath" of `unions`."""

import math
from fractions import Fraction
from typing import TypeAlias

from .counting import Number, Odds, Weight, affordable, at_least, binomial, covering, hypergeometric

Sizes: TypeAlias = dict[int, int]
"""Number of stored patterns by their size."""
_ROUNDING = 1024
"""Largest error of an expected union size, in units of the last place."""


def cover_share(n: int, stored: Sizes, number: Number) -> Odds:
    """Compute the odds that a cell is in the union."""
    free = taken = number(1)
    for size, times in stored.items():
        affordable(times * math.log2(n) if number is int else 0)
        free *= number(n - size) ** times
        taken *= number(n) ** times
    if number is int:
        return Odds(taken - free, free)
    import mpmath

    log_open = sum(times * (mpmath.log1p(-number(size) / n) if size < n else -mpmath.inf) for size, times in stored.items() if times)
    return Odds(-mpmath.expm1(log_open), mpmath.exp(log_open))


def mode_odds(n: int, a: int, theta: int, stored: Sizes, number: Number, mode: str, failure: float | Fraction) -> Odds:
    """Compute the odds that the overlap of a random pattern with the union is at least theta, exactly or by an approximation."""
    if mode == "exact":
        most = min(a, sum(size * times for size, times in stored.items()))
        top = most if failure else min(max(theta, 0), most + 1)
        return at_least(covering(n, a, stored, [number(1)] + [number(0)] * top, number), theta, failure)
    covered, free = cover_share(n, stored, number)
    share = Fraction(covered, covered + free) if number is int else covered / (covered + free)
    if mode == "bloom":
        return at_least(binomial(a, share, number), theta, failure)
    twice = 2 * n * share if number is int else _whole(2 * n * share)
    if mode == "plugin_round":
        return at_least(hypergeometric(n, a, (int(twice) + 1) // 2, number), theta, failure)
    return at_least(_real_draws(n, a, twice / 2), theta, failure)


def _whole(value: Weight) -> Weight:
    """Return the integer that a number of arbitrary precision is but for rounding, or else the number."""
    import mpmath

    nearest = mpmath.nint(value)
    return nearest if abs(value - nearest) <= _ROUNDING * mpmath.eps * abs(nearest) else value


def _real_draws(n: int, a: int, draws: Weight) -> list[Weight]:
    """Compute the weights of the overlap for a real number of draws by the ratios of neighbours."""
    low, high = max(0, int(draws - (n - a))), min(a, int(draws))
    weights = [draws * 0] * low + [draws * 0 + 1]
    for b in range(low, high):
        weights.append(weights[-1] * (draws - b) * (a - b) / ((b + 1) * (n - a - draws + b + 1)))
    return weights


def covered_odds(n: int, a: int, s: int, v: int, theta: int, others: Sizes, number: Number, failure: float | Fraction) -> Odds:
    """Compute the odds that a pattern stored with others is missed if v of its a cells are moved."""
    most = min(a, s + sum(size * times for size, times in others.items()))
    top = most if failure else min(max(theta, 0), most + 1)
    kept = hypergeometric(a, a - v, s, number)
    kept += [number(0)] * (top + 1 - len(kept))
    law = covering(n, a, others, [*kept[:top], sum(kept[top:])], number)
    reached = at_least(law, theta, failure)
    return Odds(reached.misses, reached.hits)
