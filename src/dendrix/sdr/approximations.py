"""Published approximations of the error rates, and their relative errors.

Arguments and errors as in `probability`; q = a / n is the sparsity and c = theta / s the fraction of the synapses that must match.
"""

import math
from typing import NamedTuple

import numpy as np

from .arguments import Counts, Result, at_most, integers, plain
from .noise import false_positive_bernoulli
from .probability import false_positive, set_false_positive
from .tails import upper_tails
from .unions import MODES, union_false_positive


class Approximation(NamedTuple):
    """One row of `compare`."""

    name: str
    """Name of the approximation."""
    of: str
    """Name of the function that computes the exact value."""
    value: float
    exact: float
    relative_error: float
    """value / exact - 1, computed from the logarithms, so that it is valid even if both values underflow."""


def leading_term(n: Counts, a: Counts, s: Counts, theta: Counts, *, log: bool = False) -> Result:
    """Compute the first term of the false-positive sum: P[overlap = theta].

    Args:
        n, a, s, theta, log: as in `false_positive`.
    Source: Ahmad and Hawkins (2015), arXiv 1503.07469, Eq (5).
    """
    n, a, s, theta = _checked(n, a, s, theta)
    return plain(upper_tails(a, n - a, s, theta, exactly=True, log=log))


def binomial_approximation(n: Counts, a: Counts, s: Counts, theta: Counts, *, log: bool = False) -> Result:
    """Compute the false-positive rate for independent cells, each active with probability q: P[Bin(s, q) >= theta].

    Args:
        n, a, s, theta, log: as in `false_positive`.
    Source: limit of Eq (4), arXiv 1601.00720v2, for many cells.
    """
    n, a, s, theta = _checked(n, a, s, theta)
    return false_positive_bernoulli(s, a / np.maximum(n, 1), theta, log=log)


def power_law(n: Counts, a: Counts, s: Counts, theta: Counts, *, log: bool = False) -> Result:
    """Compute C(s, theta) q^theta: the union bound over all sets of theta synapses, assuming independent cells.

    Args:
        n, a, s, theta, log: as in `false_positive`.
    Source: the reasoning for small q in arXiv 1601.00720v2.
    """
    n, a, s, theta = _checked(n, a, s, theta)
    with np.errstate(divide="ignore"):
        q = np.log(a / np.maximum(n, 1))
    sets = upper_tails(1, 1, s, theta, replaced=True, exactly=True, log=True) + s * math.log(2)
    logs = np.where(theta > 0, sets + np.maximum(theta, 1) * q, np.where(theta == 0, 0.0, -np.inf))
    return plain(logs if log else np.exp(logs))


def chernoff_bound(n: Counts, a: Counts, s: Counts, theta: Counts, *, log: bool = False) -> Result:
    """Compute the upper bound exp(-s D(c || q)) with D(c || q) = c ln(c / q) + (1 - c) ln((1 - c) / (1 - q)) if c > q, and 1 otherwise.

    Args:
        n, a, s, theta, log: as in `false_positive`.
    Source: Chernoff (1952); Hoeffding (1963) proves it for sampling without replacement.
    """
    n, a, s, theta = _checked(n, a, s, theta)
    q = a / np.maximum(n, 1)
    c = np.clip(theta / np.maximum(s, 1), 0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        matching = np.where(c > 0, c * np.log(c / q), 0.0)
        others = np.where(c < 1, (1 - c) * np.log((1 - c) / (1 - q)), 0.0)
        logs = np.where(theta > s, -np.inf, np.where(c > q, -s * (matching + others), 0.0))
    return plain(logs if log else np.exp(logs))


def set_bound(n: Counts, a: Counts, s: Counts, theta: Counts, m: Counts, *, log: bool = False) -> Result:
    """Compute the union bound on `set_false_positive`: m times the false-positive rate of one segment. It may exceed 1.

    Args:
        n, a, s, theta, m, log: as in `set_false_positive`.
    Source: Eq (9), arXiv 1601.00720v2.
    """
    n, a, s, theta, m = integers(n=n, a=a, s=s, theta=theta, m=m)
    with np.errstate(divide="ignore"):
        logs = np.asarray(np.log(m) + false_positive(n, a, s, theta, log=True))
    return plain(logs if log else np.exp(logs))


def compare(n: int, a: int, s: int, theta: int, m: int | None = None) -> list[Approximation]:
    """Compare all approximations with the exact values, for one setting.

    Args:
        n, a, s, theta: as in `false_positive`.
        m: if given, also compare the error rates of m segments, and of one segment with the union of m patterns.
    Raises:
        InputError: as in `false_positive`.
    """
    setting = (n, a, s, theta)
    exact = false_positive(*setting, log=True)
    single = (leading_term, binomial_approximation, power_law, chernoff_bound)
    rows = [_row(function.__name__, "false_positive", function(*setting, log=True), exact) for function in single]
    if m is not None:
        rows.append(_row("set_bound", "set_false_positive", set_bound(*setting, m, log=True), set_false_positive(*setting, m, log=True)))
        exact = union_false_positive(*setting, m, log=True)
        for mode in MODES[1:]:
            rows.append(_row(mode, "union_false_positive", union_false_positive(*setting, m, mode, log=True), exact))
    return rows


def _row(name: str, of: str, value: float, exact: float) -> Approximation:
    error = 0.0 if value == exact else float(np.expm1(value - exact))
    return Approximation(name, of, math.exp(value), math.exp(exact), error)


def _checked(n: Counts, a: Counts, s: Counts, theta: Counts) -> list[np.ndarray]:
    counts = integers(n=n, a=a, s=s, theta=theta)
    at_most(a=counts[1], n=counts[0])
    at_most(s=counts[2], n=counts[0])
    return counts
