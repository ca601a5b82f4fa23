"""Error rates under other noise than a fixed number of moved cells: deletion, random activity, a random number, and failing synapses.

Arguments and backends as in `probability`; probabilities may be fractions, which the backend "exact" does not round.
"""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .arguments import Chances, Counts, Result, at_most, broadcast, choose, integers, plain, probabilities
from .counting import Number, Odds, at_least, binomial, counted, hypergeometric
from .tails import log_complement, log_sum, upper_tails

_TOLERANCE = 1e-9
"""Largest deviation of the sum of the weights from 1."""

_MOST_OVERLAPS = 20_000
"""Largest overlap with failing synapses; the time grows with its square and is seconds here."""

_MOST_TERMS = 10**7
"""Largest number of terms in memory, about 100 bytes each."""


def false_negative_deletion(s: Counts, p: Chances, theta: Counts, *, log: bool = False, backend: str = "float64") -> Result:
    """Compute the false-negative rate if every active cell is deleted with probability p: P[Bin(s, 1 - p) < theta].

    Args:
        s: synapses of the segment.
        p: probability that an active cell becomes inactive.
        theta: overlap from which the segment matches.
        log, backend: as in `probability`.
    Raises:
        InputError: p is outside [0, 1], or as in `integers`.
    Source: ours; independent noise in place of Eq (6).
    """
    s, theta = integers(s=s, theta=theta)
    return _binomial_tail("p", p, s, s - theta + 1, log, backend)


def false_positive_bernoulli(s: Counts, q: Chances, theta: Counts, *, log: bool = False, backend: str = "float64") -> Result:
    """Compute the false-positive rate if every cell is active independently with probability q: P[Bin(s, q) >= theta].

    This is the limit of Eq (4) for many cells at fixed sparsity q = a / n.

    Args:
        s: synapses of the segment.
        q: probability that a cell is active.
        theta: overlap from which the segment matches.
        log, backend: as in `probability`.
    Raises:
        InputError: q is outside [0, 1], or as in `integers`.
    Source: ours.
    """
    s, theta = integers(s=s, theta=theta)
    return _binomial_tail("q", q, s, theta, log, backend)


def _binomial_tail(name: str, chance: Chances, s: NDArray[np.int64], least: NDArray[np.int64], log: bool, backend: str) -> Result:
    """Compute P[Bin(s, chance) >= least]; `name` is the name of the probability in error messages."""
    choose(backend)
    s, least, chances = broadcast(s=s, theta=least, **{name: probabilities(name, chance)})
    if backend == "float64":
        chances = chances.astype(np.float64)
        return plain(upper_tails(chances, 1 - chances, s, least, replaced=True, log=log))

    def odds(s: int, chance: Any, least: int, number: Number) -> Odds:
        return at_least(binomial(s, chance, number), least)

    return counted(odds, (s, chances, least), log, backend)


def false_negative_random(a: Counts, s: Counts, weights: Chances, theta: Counts, *, log: bool = False, backend: str = "float64") -> Result:
    """Compute the false-negative rate if a random number of active cells is moved.

    Args:
        a: active cells of the pattern.
        s: synapses of the segment.
        weights: P[v cells are moved] for v = 0, 1, ...; they sum to 1.
        theta: overlap from which the segment matches.
        log, backend: as in `probability`.
    Raises:
        InputError: the weights are not a distribution or more than a + 1, s > a, or as in `integers`.
    Source: ours; Eq (6) averaged over v.
    """
    choose(backend)
    chances = probabilities("weights", weights)
    if chances.ndim != 1:
        raise InputError(
            f"weights: expected one list of probabilities, got shape {list(chances.shape)}. Give one per number of moved cells."
        )
    if abs(float(chances.sum()) - 1) > _TOLERANCE:
        raise InputError(f"weights: expected a list of probabilities that sums to 1, got sum {float(chances.sum())}. Divide by the sum.")
    a, s, theta = integers(a=a, s=s, theta=theta)
    at_most(s=s, a=a)
    moved = np.arange(len(chances))
    at_most(v=moved[-1:], a=a)
    if backend == "float64":
        _in_memory(a.size * len(moved))
        lost = upper_tails(moved, a[..., None] - moved, s[..., None], (s - theta + 1)[..., None], log=True)
        with np.errstate(divide="ignore"):
            total = log_sum(np.log(chances.astype(np.float64) / float(chances.sum())) + lost)
        return plain(total if log else np.exp(total))

    def odds(a: int, s: int, theta: int, number: Number) -> Odds:
        missed = caught = Fraction(0)
        for v, chance in enumerate(map(Fraction, chances.tolist())):
            hits, misses = at_least(hypergeometric(a, v, s), s - theta + 1)
            missed += chance * Fraction(hits, hits + misses)
            caught += chance * Fraction(misses, hits + misses)
        hits, total = (missed / (missed + caught)).as_integer_ratio()
        return Odds(number(hits), number(total - hits))

    return counted(odds, (a, s, theta), log, backend)


def overlaps(most: int, settings: int = 1) -> NDArray[np.int64]:
    """Return the overlaps from 0 to `most` on which `transmitted` evaluates the distributions of all settings.

    Args:
        most: largest overlap.
        settings: number of settings.
    Raises:
        InputError: the evaluation would take minutes or too much memory.
    """
    if most > _MOST_OVERLAPS:
        raise InputError(f"expected overlaps of at most {_MOST_OVERLAPS:,} cells with failing synapses, got up to {most:,}. Set failure=0.")
    _in_memory(settings * (most + 1))
    return np.arange(most + 1)


def _in_memory(terms: int) -> None:
    if terms > _MOST_TERMS:
        raise InputError(
            f"expected at most {_MOST_TERMS:,} terms (settings times overlaps), got {terms:,}. Evaluate the settings in parts."
        )


def transmitted(law: NDArray[np.float64], theta: int | NDArray[np.int64], failure: float, missed: bool, log: bool) -> NDArray[np.float64]:
    """Compute P[the overlap is at least theta, or below it] if each synapse of the overlap fails with a given probability.

    Args:
        law: log P[overlap = b], [..., b], b = 0, 1, ...
        theta: thresholds, [...].
        failure: failure probability of a synapse.
        missed: return the probability of an overlap below theta.
        log: return natural logarithms.
    """
    overlap, need = np.arange(law.shape[-1]), np.asarray(theta)[..., None]
    passed = upper_tails(1 - failure, failure, overlap, need, replaced=True, log=True)
    failed = upper_tails(failure, 1 - failure, overlap, overlap - need + 1, replaced=True, log=True)
    wanted, other = log_sum(law + passed), log_sum(law + failed)
    if missed:
        wanted, other = other, wanted
    total = np.where(wanted < other, wanted, log_complement(np.minimum(other, 0)))
    return total if log else np.exp(total)
