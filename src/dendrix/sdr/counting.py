"""Distributions of the overlap in integers or arbitrary precision: the backends "exact" and "mpmath".

They evaluate the definitions directly, and float64 is tested against them. A distribution is a list of non-negative weights, one per
overlap from 0 on, which need not be normalised.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .arguments import Result

Weight: TypeAlias = Any
"""int in the backend "exact", mpf in the backend "mpmath"."""

_GUARD_BITS = 64
_MOST_BITS, _MOST_WORK = 10**6, 10**9


Number: TypeAlias = Callable[[int], Weight]
"""Constructor of a weight from an integer: int or mpf."""


class Odds(NamedTuple):
    """Weights of an event and of its complement: the probability is hits / (hits + misses), accurate near 0 and near 1."""

    hits: Weight
    misses: Weight


def counted(odds: Callable[..., Odds], settings: Sequence[NDArray[Any]], log: bool, backend: str) -> Result:
    """Compute a probability for every setting.

    Args:
        odds: function of one setting of Python numbers that returns the odds; its keyword `number` converts integers to weights.
        settings: arrays of one shape.
        log: return natural logarithms; for "exact", the nearest float.
        backend: "exact" or "mpmath".
    Returns:
        one number if all settings are scalars, else an object array.
    """
    import mpmath

    def exact(*setting: Any) -> Any:
        hits, misses = odds(*setting, number=int)
        share = Fraction(hits, hits + misses)
        if not log:
            return share
        with mpmath.workprec(53 + _GUARD_BITS):
            return float(logarithm(mpmath.mpf(share.numerator), mpmath.mpf(share.denominator - share.numerator)))

    def rounded(*setting: Any) -> Any:
        with mpmath.workprec(mpmath.mp.prec + _GUARD_BITS):
            hits, misses = map(mpmath.mpf, odds(*setting, number=mpmath.mpf))
            value = logarithm(hits, misses) if log else hits / (hits + misses)
        return +value

    return np.frompyfunc(exact if backend == "exact" else rounded, len(settings), 1)(*settings)


def logarithm(hits: Weight, misses: Weight) -> Weight:
    """Compute log(hits / (hits + misses)) in the precision of mpmath, accurate near 0 and near 1."""
    import mpmath

    if not hits:
        return -mpmath.inf
    return mpmath.log(hits / (hits + misses)) if hits < misses else mpmath.log1p(-misses / (hits + misses))


def affordable(bits: float, numbers: float = 1) -> None:
    """Raise InputError if a computation would take minutes or exhaust the memory.

    Args:
        bits: size of the largest number; 0 for numbers of fixed precision.
        numbers: how many numbers are computed.
    Raises:
        InputError: a number has more than 1e6 bits, or all of them, with 1000 more for computing each, have more than 1e9.
    """
    if bits > _MOST_BITS or numbers * (bits + 1000) > _MOST_WORK:
        raise InputError(
            f"expected a computation with at most {_MOST_WORK:.0e} bits, {_MOST_BITS:.0e} per number, got about {numbers:.0e} numbers "
            f"of {bits + 1000:.0e} bits. Choose another backend, or smaller patterns."
        )


def hypergeometric(population: int, marked: int, draws: int, number: Number = int) -> list[Weight]:
    """Compute the hypergeometric weights C(marked, b) C(population - marked, draws - b) of b marked balls among those drawn."""
    draws, marked = sorted((draws, marked))
    unmarked = population - marked
    low = max(0, draws - unmarked)
    affordable(draws * math.log2(population + 1) if number is int else 0, draws)
    first = math.comb(marked, low) * math.comb(unmarked, draws - low) if number is int else 1
    weights = [number(0)] * low + [number(first)]
    for b in range(low, draws):
        up, down = (draws - b) * (marked - b), (b + 1) * (unmarked - draws + b + 1)
        weights.append(weights[-1] * up // down if number is int else weights[-1] * up / down)
    return weights


def binomial(draws: int, share: Weight, number: Number = int) -> list[Weight]:
    """Compute the binomial weights C(draws, b) x^b (y - x)^(draws - b) of b successes, where x / y is the success probability `share`."""
    if number is int:
        x, y = Fraction(share).as_integer_ratio()
        affordable(draws * math.log2(y), draws)
        yes, no = x, y - x
    elif isinstance(share, float | Fraction):
        x, y = Fraction(share).as_integer_ratio()
        yes, no = number(x) / y, number(y - x) / y
    else:
        yes, no = share, 1 - share
    return [math.comb(draws, b) * yes**b * no ** (draws - b) for b in range(draws + 1)]


def at_least(law: Sequence[Weight], theta: int, failure: float | Fraction = 0) -> Odds:
    """Compute the odds of an overlap of at least theta, if each synapse fails with the given probability."""
    if not failure:
        split = max(theta, 0)
        return Odds(sum(law[split:]), sum(law[:split]))
    scale = Fraction(failure).denominator
    affordable(len(law) * math.log2(scale), len(law) ** 2 / 2)
    hits = misses = 0
    for b, weight in enumerate(law):
        passed = binomial(b, 1 - Fraction(failure))
        scaled = weight * scale ** (len(law) - 1 - b)
        hits += scaled * sum(passed[max(theta, 0) :])
        misses += scaled * sum(passed[: max(theta, 0)])
    return Odds(hits, misses)


def covering(n: int, a: int, sizes: dict[int, int], law: list[Weight], number: Number = int) -> list[Weight]:
    """Compute the distribution of the number of marked cells that a union covers, after random patterns are added.

    Args:
        n: number of cells.
        a: number of marked cells.
        sizes: number of added patterns by their size.
        law: initial distribution of the number of covered cells; its last weight is for that number or more, here and in the result.
        number: constructor of a weight from an integer.
    """
    last = len(law) - 1
    for size, times in sizes.items():
        bits = size * math.log2(n + 1)
        affordable(bits, last**2)
        affordable(times * bits if number is int else 0, last**3 / 6 * (1 if number is int else 2 * times.bit_length()))
        ways = math.comb(n, size)
        step = []
        for i in range(last):
            new = [math.comb(a - i, j - i) * math.comb(n - a + i, size - j + i) for j in range(i, min(last, i + size + 1))]
            row = [0] * i + new + [0] * (last - i - len(new))
            step.append([*row, ways - sum(new)])
        step.append([0] * last + [ways])
        weights = step if number is int else [[number(weight) / ways for weight in row] for row in step]
        law = _advance(law, weights, times)
    return law


def _advance(law: list[Weight], step: list[list[Weight]], times: int) -> list[Weight]:
    """Return the distribution after `times` equal steps, by repeated squaring of the upper triangular transition matrix."""
    while times:
        if times % 2:
            law = [sum(law[i] * step[i][j] for i in range(j + 1)) for j in range(len(law))]
        times //= 2
        if times:
            span = range(len(law))
            step = [[sum(step[i][k] * step[k][j] for k in range(i, j + 1)) for j in span] for i in span]
    return law
