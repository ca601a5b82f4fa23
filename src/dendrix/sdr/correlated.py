"""Correlated patterns, in which clusters of cells are active together; the theory of independent patterns does not apply to them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled
from ..errors import InputError
from .arguments import whole
from .estimates import DOUBT, score, wilson
from .probability import false_positive

MOST_CELLS = 10**8  # of all patterns drawn at once: 0.8 GB
BATCH_CELLS = 2**22  # of the patterns that `verify_correlated` holds: 32 MB


@dataclass(frozen=True)
class CorrelatedVerification:
    """Simulated false-positive rate of correlated patterns, and the exact rate of independent ones."""

    estimate: float
    """Fraction of draws that match."""
    low: float
    """Lower end of Wilson's 95 % confidence interval."""
    high: float
    """Upper end of the interval."""
    hits: int
    """Number of draws that match."""
    draws: int
    """Number of draws."""
    independent: float
    """The exact false-positive rate of independent patterns of the same sizes."""
    ratio: float
    """estimate / independent; infinite if only the latter is 0."""
    verdict: str
    """Conclusion in one sentence."""


def correlated_patterns(n: int, a: int, cluster: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw random patterns of whole clusters.

    Cell i belongs to cluster i // cluster; a pattern consists of a / cluster random clusters. `cluster=1` gives independent cells. The mean
    overlap of two patterns is a * a / n for any cluster size, but overlaps are multiples of `cluster`, so large overlaps are more frequent.

    Args:
        n: number of cells, a multiple of `cluster`.
        a: active cells of a pattern, a multiple of `cluster`, at most n.
        cluster: number of cells that are active together.
        count: number of patterns.
        rng: random number generator.
    Returns:
        active cells of each pattern in random order, int64 [count, a].
    Raises:
        InputError: a number is out of range, is not a multiple of `cluster`, or the patterns have over 10^8 cells.
    Source: clusters of cells as in Numenta's later simulations (htmresearch, sdr_paper); the generator is ours.
    """
    n, a, cluster, count = whole(n=n, a=a, cluster=cluster, count=count)
    if n % cluster or a % cluster:
        raise InputError(f"n and a: expected multiples of the cluster size, got n={n}, a={a}, cluster={cluster}. Change either.")
    if a > n:
        raise InputError(f"a: expected at most n, got n={n}, a={a}. Lower a or raise n.")
    if max(n, count * a) > MOST_CELLS:
        raise InputError(
            f"count: expected at most {MOST_CELLS:,} cells per call, got n={n:,} and {count:,} patterns of a={a:,}. Draw fewer patterns."
        )
    patterns: NDArray[np.int64] = compiled(_draw_patterns)(n, a, cluster, count, rng)
    return patterns


def verify_correlated(n: int, a: int, s: int, theta: int, cluster: int, draws: int = 100_000, seed: int = 0) -> CorrelatedVerification:
    """Estimate the false-positive rate of correlated patterns by simulation.

    Each draw takes two new patterns, and s random cells of the second one as the segment.

    Args:
        n, a, cluster: as in `correlated_patterns`.
        s: synapses of the segment, at most a.
        theta: overlap from which the segment matches.
        draws: number of pairs of patterns.
        seed: seed of the random numbers.
    Raises:
        InputError: as in `correlated_patterns`, or s > a.
    """
    n, a, s, theta, draws, seed = whole(n=n, a=a, s=s, theta=theta, draws=draws, seed=seed)
    if s > a:
        raise InputError(f"s: expected at most a={a} synapses for a segment that learned a pattern, got {s}. Lower s or raise a.")
    rng = np.random.default_rng(seed)
    hits, batch = 0, max(1, BATCH_CELLS // (2 * a))
    for start in range(0, draws, batch):
        patterns = correlated_patterns(n, a, cluster, 2 * min(batch, draws - start), rng)
        hits += int(compiled(_count_matches)(patterns[::2], patterns[1::2, :s], np.full(n, -1), theta))
    estimate, independent = hits / draws, float(false_positive(n, a, s, theta))
    low, high = wilson(hits, draws)
    times = estimate / independent if independent else (math.inf if hits else 1.0)
    verdict = f"Clusters of {cluster} cells: {estimate:.4g} drawn, {independent:.4g} for independent patterns; "
    if abs(score(hits, draws, independent)) > DOUBT:
        verdict += f"the theory is wrong by a factor of {times:.3g} and does not apply to these patterns."
    else:
        verdict += f"the difference is not significant in {draws} draws."
    return CorrelatedVerification(estimate, low, high, hits, draws, independent, times, verdict)


def _draw_patterns(n: int, a: int, cluster: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    clusters = np.arange(n // cluster)
    patterns = np.empty((count, a), np.int64)
    for row in range(count):
        for i in range(a // cluster):
            j = i + int(rng.random() * (len(clusters) - i))
            clusters[i], clusters[j] = clusters[j], clusters[i]
            for cell in range(cluster):
                patterns[row, i * cluster + cell] = clusters[i] * cluster + cell
        for i in range(a):
            j = i + int(rng.random() * (a - i))
            patterns[row, i], patterns[row, j] = patterns[row, j], patterns[row, i]
    return patterns


def _count_matches(patterns: NDArray[np.int64], segments: NDArray[np.int64], owner: NDArray[np.int64], theta: int) -> int:
    """Count the rows in which at least theta cells of the segment are in the pattern; `owner` [n], initially -1, is scratch memory."""
    hits = 0
    for row in range(len(patterns)):
        for cell in patterns[row]:
            owner[cell] = row
        overlap = 0
        for cell in segments[row]:
            overlap += owner[cell] == row
        hits += overlap >= theta
    return hits
