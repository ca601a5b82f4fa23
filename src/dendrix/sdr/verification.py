"""The theory checked by drawing: index sets are drawn and counted, never the distribution that is to be checked."""

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

FEWEST_HITS = 10  # with fewer hits expected, plain drawing tells too little
VAGUE = 0.2  # relative standard error of weights that itself is not to be trusted: fewer than 25 even draws would do as well
MOST_CELLS = 10**8  # 1.7 GB
MOST_SYNAPSES = 10**11  # about an hour


@dataclass(frozen=True)
class Verification:
    """A probability estimated by drawing, beside the exact one."""

    estimate: float
    """Share of hits, or mean weight."""
    exact: float
    """What the theory says."""
    low: float
    """Lower end of the 95 % interval: Wilson's for plain drawing, normal for weights."""
    high: float
    """Upper end of the 95 % interval."""
    z: float
    """(estimate - exact) in standard errors: those of the theory for plain drawing, those of the weights otherwise."""
    hits: int
    """Draws in which the event happened."""
    draws: int
    """Comparisons drawn."""
    relative_error: float
    """Standard error of the estimate, divided by the estimate; infinite without hits."""
    sampling: str
    """`plain` or `tilted`."""
    verdict: str
    """One sentence."""


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
    """Estimate an error probability by drawing patterns, segments and noise, and compare it with the exact value.

    Without `v` the event is a false positive: a random pattern matches a random segment, one of `m` segments, or the `union` of m. With
    `v` it is a false negative: a stored pattern of which v active cells moved is missed by its segment, or by the union that holds it.

    Args:
        n: number of cells.
        a: active cells of a pattern.
        s: synapses of a segment, or of one pattern in a union.
        theta: overlap from which a segment matches.
        v: active cells of the stored pattern that moved elsewhere; None asks for the false positives.
        m: number of segments, or of patterns in the union.
        union: whether the m patterns share one segment.
        draws: comparisons to draw.
        seed: of the random numbers; the same seed gives the same result.
        sampling: `plain` counts hits; `tilted` is importance sampling, for probabilities down to 1e-300: active cells are drawn more
            often, or less often for false negatives, and each draw carries its likelihood ratio. `auto` tilts below 10 expected hits.
    Source: protocol after Ahmad & Hawkins, arXiv 1601.00720, section 3 and figure 4 (there 1e8 comparisons); tilting ours.
    """
    n, a, s, theta, moved, m, draws, seed = whole(n=n, a=a, s=s, theta=theta, v=0 if v is None else v, m=m, draws=draws, seed=seed)
    _check(n, a, s, v, m, union, draws)
    if sampling not in ("auto", "plain", "tilted"):
        raise InputError(f"sampling must be auto, plain or tilted, got '{sampling}'.")
    if sampling == "tilted" and m > 1 and not union:
        raise InputError(f"Tilted sampling knows one segment or a union, got a set of {m}; verify one of its segments with m=1.")
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
    """The theory's value for the event that `verify` draws."""
    if v is None:
        return float(union_false_positive(n, a, s, theta, m) if union else set_false_positive(n, a, s, theta, m))
    return float(union_false_negative(n, a, s, v, theta, m) if union else false_negative(a, s, v, theta))


def _tilts(n: int, a: int, s: int, theta: int, v: int, m: int, stored: bool) -> tuple[float, float]:
    """The shares of active cells, in the first segment and in the others, that bring the expected overlap to the edge of the event.

    Both have their odds multiplied by one factor, found by bisection of its logarithm: of all ways to get there this
    exponential tilt is the most likely one.
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
    """The report of plain drawing."""
    estimate = hits / draws
    low, high = wilson(hits, draws)
    error = math.sqrt((1 - estimate) / hits) if hits else math.inf
    z = score(hits, draws, exact)
    verdict = _verdict(estimate, exact, z)
    if not hits and abs(z) <= DOUBT:
        verdict = f"No hit in {draws} draws: the probability is at most {high:.2g}, and the exact {exact:.4g} is not contradicted."
    return Verification(estimate, exact, low, high, z, hits, draws, error, "plain", verdict)


def _weighed(exact: float, hits: int, total: float, squares: float, draws: int) -> Verification:
    """The report of importance sampling."""
    estimate = total / draws
    deviation = math.sqrt(max(squares / draws - estimate**2, 0.0) / draws)
    low, high = max(0.0, estimate - NORMAL_95 * deviation), min(1.0, estimate + NORMAL_95 * deviation)
    error = deviation / estimate if hits else math.inf
    z = ratio(estimate - exact, deviation)
    verdict = _verdict(estimate, exact, z)
    if error > VAGUE:
        verdict = f"The weights are too uneven to judge by: a few of the {hits} hits carry the estimate {estimate:.4g}; raise draws."
    return Verification(estimate, exact, low, high, z, hits, draws, error, "tilted", verdict)


def _verdict(estimate: float, exact: float, z: float) -> str:
    word = "agree" if abs(z) <= DOUBT else "disagree"
    return f"Drawing and theory {word}: {estimate:.4g} drawn, {exact:.4g} exact, {abs(z):.1f} standard errors apart."


def _check(n: int, a: int, s: int, v: int | None, m: int, union: bool, draws: int) -> None:
    """Refuse what cannot be drawn; what the theory itself refuses is left to it."""
    if max(a, s) > n:
        raise InputError(f"Drawing needs a <= n and s <= n, got n={n}, a={a}, s={s}.")
    if n > MOST_CELLS:
        raise InputError(
            f"Drawing keeps all cells in memory and takes at most n={MOST_CELLS}, got n={n}; the exact values have no such limit."
        )
    if draws * m * s > MOST_SYNAPSES:
        raise InputError(f"{draws} draws of m={m} times s={s} synapses take hours: at most {MOST_SYNAPSES:.0e} in all; lower draws or m.")
    if v is None:
        return
    if s > a:
        raise InputError(f"A stored segment has at most the a={a} active cells of its pattern as synapses, got s={s}.")
    if not 0 <= v <= min(a, n - a):
        raise InputError(f"v={v} active cells cannot move: there are a={a} of them and n - a = {n - a} places.")
    if m > 1 and not union:
        raise InputError(f"False negatives are those of one segment or of a union, got a set of {m}: pass m=1 or union=True.")
