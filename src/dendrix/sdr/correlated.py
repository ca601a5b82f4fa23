"""Correlated patterns, for which the theory does not hold: cells come in clusters that are active together."""

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
    """False positives drawn with correlated patterns, beside what the theory says of independent ones."""

    estimate: float
    """Share of hits."""
    low: float
    """Lower end of Wilson's 95 % interval."""
    high: float
    """Upper end."""
    hits: int
    draws: int
    independent: float
    """The exact false-positive rate of independent patterns of the same sizes."""
    ratio: float
    """estimate / independent: how far the theory is off; infinite where that is 0."""
    verdict: str
    """One sentence."""


def correlated_patterns(n: int, a: int, cluster: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random patterns made of whole clusters; int64 [count, a], the active cells of each in random order.

    Cell i belongs to cluster i // cluster; a pattern is a / cluster random clusters. `cluster=1` gives independent cells. The mean
    overlap of two patterns is a * a / n as ever, but it comes in steps of `cluster`, so large overlaps are more frequent.

    Args:
        n: number of cells, a multiple of `cluster`.
        a: active cells of a pattern, a multiple of `cluster`, at most n.
        cluster: cells that are active together.
        count: number of patterns.
        rng: the source of chance.
    Source: clusters of cells as in Numenta's later simulations (htmresearch, sdr_paper); the generator is ours.
    """
    n, a, cluster, count = whole(n=n, a=a, cluster=cluster, count=count)
    if n % cluster or a % cluster:
        raise InputError(f"n and a must be multiples of the cluster size, got n={n}, a={a}, cluster={cluster}.")
    if a > n:
        raise InputError(f"Drawing needs a <= n, got n={n}, a={a}.")
    if max(n, count * a) > MOST_CELLS:
        raise InputError(
            f"Drawing takes at most {MOST_CELLS:,} cells at a time, got n={n:,} and {count:,} patterns of a={a:,}; draw fewer."
        )
    patterns: NDArray[np.int64] = compiled(_draw_patterns)(n, a, cluster, count, rng)
    return patterns


def verify_correlated(n: int, a: int, s: int, theta: int, cluster: int, draws: int = 100_000, seed: int = 0) -> CorrelatedVerification:
    """Estimate how often a pattern matches a segment of another pattern when patterns are correlated.

    Each draw takes two new patterns, and s random cells of the second as the segment.

    Args:
        n, a, cluster: see `correlated_patterns`.
        s: synapses of the segment, at most a.
        theta: overlap from which the segment matches.
        draws: pairs of patterns to draw.
        seed: of the random numbers.
    """
    n, a, s, theta, draws, seed = whole(n=n, a=a, s=s, theta=theta, draws=draws, seed=seed)
    if s > a:
        raise InputError(f"A segment learned from a pattern has at most a={a} synapses, got s={s}.")
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
        verdict += f"the theory is off by a factor of {times:.3g} and does not hold for these patterns."
    else:
        verdict += f"{draws} draws do not tell them apart."
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
    """Rows in which at least theta cells of the segment are in the pattern; `owner`, all -1, holds the last pattern of each cell."""
    hits = 0
    for row in range(len(patterns)):
        for cell in patterns[row]:
            owner[cell] = row
        overlap = 0
        for cell in segments[row]:
            overlap += owner[cell] == row
        hits += overlap >= theta
    return hits
