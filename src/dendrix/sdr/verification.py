"""Verification of the exact error rates by Monte Carlo simulation of index sets."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import InputError
from .arguments import whole
from .estimates import DOUBT, NORMAL_95, ratio, score, wilson
from .probability import false_negative, set_false_positive
from .simulation import count_overlaps, weigh_hits
from .unions import union_false_negative, union_false_positive

FEWEST_HITS = 10  # with fewer expected hits, plain sampling is too imprecise
VAGUE = 0.2  # relative standard error above which the error estimate is unreliable: equivalent to fewer than 25 unweighted hits
MOST_CELLS = 10**8  # 1.7 GB
MOST_SYNAPSES = 10**11  # about an hour


@dataclass(frozen=True)
class Verification:
    """A simulated probability and the exact one."""

    estimate: float
    """Fraction of hits, or mean weight."""
    exact: float
    """Probability according to the theory."""
    low: float
    """Lower end of the 95 % confidence interval: Wilson's for plain sampling, normal for weights."""
    high: float
    """Upper end of the interval."""
    z: float
    """(estimate - exact) in standard errors: those of the theory for plain sampling, those of the weights otherwise."""
    hits: int
    """Number of draws in which the event occurred."""
    draws: int
    """Number of simulated comparisons."""
    relative_error: float
    """Standard error of the estimate, divided by the estimate; infinite without hits."""
    sampling: str
    """`plain` or `tilted`."""
    verdict: str
    """Conclusion in one sentence."""


def verify(
    n: int,
    a: int,
    s: int,
    theta: int,
    v: int | None = None,
    m: int = 1,
    union: bool = False,
    draws: int = 1_000_000,
    seed: int = 0,
    sampling: Literal["auto", "plain", "tilted"] = "auto",
) -> Verification:
    """Estimate an error rate by simulating patterns, segments and noise, and compare it with the exact value.

    Without `v`, the event is a false positive: a random pattern matches a random segment, one of `m` segments, or the `union` of m
    patterns. With `v`, it is a false negative: a stored pattern with v moved cells is missed by its segment, or by the union that contains
    it.

    Args:
        n: number of cells.
        a: active cells of a pattern.
        s: synapses of a segment, or of one pattern in a union.
        theta: overlap from which a segment matches.
        v: number of active cells of the stored pattern that are moved; None simulates false positives.
        m: number of segments, or of patterns in the union.
        union: store the m patterns on one segment.
        draws: number of comparisons.
        seed: seed of the random numbers; the same seed gives the same result.
        sampling: `plain` counts hits. `tilted` is importance sampling, for probabilities down to 1e-300: active cells are drawn more often
            (less often for false negatives), and each draw is weighted by its likelihood ratio. `auto` selects `tilted` if fewer than 10
            hits are expected.
    Raises:
        InputError: the sizes are inconsistent, the simulation would be too large, or `sampling` does not support the event.
    Source: protocol after Ahmad & Hawkins, arXiv 1601.00720, section 3 and figure 4 (there 1e8 comparisons); the importance sampling is
        ours.
    """
    n, a, s, theta, moved, m, draws, seed = whole(n=n, a=a, s=s, theta=theta, v=0 if v is None else v, m=m, draws=draws, seed=seed)
    _check(n, a, s, v, m, union, draws)
    if sampling not in ("auto", "plain", "tilted"):
        raise InputError(f"sampling: expected auto, plain or tilted, got '{sampling}'. Choose one of them.")
    if sampling == "tilted" and m > 1 and not union:
        raise InputError(
            f"sampling: expected plain or auto for a set of {m} segments, got tilted. Verify one segment with m=1, or a union."
        )
    exact = _exact(n, a, s, theta, v, m, union)
    rare = 0 < exact * draws < FEWEST_HITS and (m == 1 or union)
    rng = np.random.default_rng(seed)
    if sampling == "tilted" or (sampling == "auto" and rare):
        tilts = _tilts(n, a, s, theta, moved, m, v is not None)
        hits, total, squares = weigh_hits(n, a, s, moved, m, theta, v is not None, tilts, draws, rng)
        return _weighed(exact, hits, total, squares, draws)
    counts = count_overlaps(n, a, s, moved, m, union, v is not None, draws, rng)
    hits = int(counts[: max(theta, 0)].sum() if v is not None else counts[max(theta, 0) :].sum())
    return _counted(exact, hits, draws)


def _exact(n: int, a: int, s: int, theta: int, v: int | None, m: int, union: bool) -> float:
    """Return the exact probability of the event that `verify` simulates."""
    if v is None:
        return float(union_false_positive(n, a, s, theta, m) if union else set_false_positive(n, a, s, theta, m))
    return float(union_false_negative(n, a, s, v, theta, m) if union else false_negative(a, s, v, theta))


def _tilts(n: int, a: int, s: int, theta: int, v: int, m: int, stored: bool) -> tuple[float, float]:
    """Return the probabilities of an active cell, in the first segment and in the others, at which the expected overlap is that of the
    event.

    The odds of both are multiplied by one factor (exponential tilting), found by bisection of its logarithm.
    """
    plain = 1 - v / a if stored else a / n, a / n
    edge = max(theta - 1, 0.5) if stored else min(theta, min(a, m * s) - 0.5)
    low, high = (-50.0, 0.0) if stored else (0.0, 50.0)
    for _ in range(60):
        middle = (low + high) / 2
        first, later = (p * math.exp(middle) / (1 - p + p * math.exp(middle)) for p in plain)
        overlap = a - (a - s * first) * max(1 - s * later / a, 0.0) ** (m - 1)
        low, high = (middle, high) if overlap < edge else (low, middle)
    return first, later


def _counted(exact: float, hits: int, draws: int) -> Verification:
    """Return the result of plain sampling."""
    estimate = hits / draws
    low, high = wilson(hits, draws)
    error = math.sqrt((1 - estimate) / hits) if hits else math.inf
    z = score(hits, draws, exact)
    verdict = _verdict(estimate, exact, z)
    if not hits and abs(z) <= DOUBT:
        verdict = f"No hit in {draws} draws: the probability is at most {high:.2g}, and the exact {exact:.4g} is not contradicted."
    return Verification(estimate, exact, low, high, z, hits, draws, error, "plain", verdict)


def _weighed(exact: float, hits: int, total: float, squares: float, draws: int) -> Verification:
    """Return the result of importance sampling."""
    estimate = total / draws
    deviation = math.sqrt(max(squares / draws - estimate**2, 0.0) / draws)
    low, high = max(0.0, estimate - NORMAL_95 * deviation), min(1.0, estimate + NORMAL_95 * deviation)
    error = deviation / estimate if hits else math.inf
    z = ratio(estimate - exact, deviation)
    verdict = _verdict(estimate, exact, z)
    if error > VAGUE:
        verdict = f"Inconclusive: a few of the {hits} hits dominate the weights of the estimate {estimate:.4g}; raise draws."
    return Verification(estimate, exact, low, high, z, hits, draws, error, "tilted", verdict)


def _verdict(estimate: float, exact: float, z: float) -> str:
    word = "agree" if abs(z) <= DOUBT else "disagree"
    return f"Simulation and theory {word}: {estimate:.4g} simulated, {exact:.4g} exact, {abs(z):.1f} standard errors apart."


def _check(n: int, a: int, s: int, v: int | None, m: int, union: bool, draws: int) -> None:
    """Raise InputError for events that cannot be simulated; the exact functions check the rest."""
    if max(a, s) > n:
        raise InputError(f"a, s: expected at most n, got n={n}, a={a}, s={s}. Raise n or lower the other.")
    if n > MOST_CELLS:
        raise InputError(
            f"n: expected at most {MOST_CELLS} cells in a simulation, which keeps all of them in memory, got {n}. Use the exact functions."
        )
    if draws * m * s > MOST_SYNAPSES:
        raise InputError(
            f"draws: expected at most {MOST_SYNAPSES:.0e} synapses in all, got {draws} draws of m={m} times s={s}. Lower draws or m."
        )
    if v is None:
        return
    if s > a:
        raise InputError(f"s: expected at most a={a} synapses, one per active cell of the stored pattern, got {s}. Lower s.")
    if not 0 <= v <= min(a, n - a):
        raise InputError(f"v: expected at most a={a} active cells and n - a = {n - a} inactive ones, got {v}. Lower v.")
    if m > 1 and not union:
        raise InputError(f"m: expected one segment or a union for false negatives, got a set of {m} segments. Pass m=1 or union=True.")
