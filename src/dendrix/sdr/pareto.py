"""Pareto-optimal sizes (n, a, s, theta) that meet target error rates under noise."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..errors import InputError
from .arguments import probability, whole
from .bisection import log_target, smallest
from .probability import false_negative, false_positive

Bound: TypeAlias = int | tuple[int, int]
"""A fixed value, or (smallest, largest)."""

Sizes: TypeAlias = tuple[int, int, int, int, int]
"""n, a, s, theta, v."""

_MOST_PAIRS = 10**7


@dataclass(frozen=True)
class Design:
    """Sizes that meet the targets, with their error rates."""

    n: int
    """Number of cells."""
    a: int
    """Active cells of a pattern."""
    s: int
    """Synapses of a segment."""
    theta: int
    """Overlap from which the segment matches: of all that meet both targets, the one that maximises the smaller margin."""
    v: int
    """Number of moved active cells: the noise, rounded up."""
    false_positive: float
    false_negative: float
    margin_fp: float
    """log10(target_fp / false_positive)."""
    margin_fn: float
    """log10(target_fn / false_negative); infinite if a miss is impossible."""


def design(
    target_fp: float,
    target_noise: float,
    target_fn: float = 1e-6,
    *,
    n: Bound = (1, 1_000_000),
    a: Bound = (20, 512),
    s: Bound = (1, 64),
    theta: Bound = (1, 512),
) -> list[Design]:
    """Compute the Pareto front of the smallest n, a and s that meet both targets, sorted by s, then a.

    Args:
        target_fp: largest probability that a random pattern matches.
        target_noise: fraction of the active cells that are moved, 0 to 1.
        target_fn: largest probability that a stored pattern with this noise is missed.
        n: number of cells, fixed or (smallest, largest).
        a: active cells, likewise. The error rates always favour fewer active cells; the lower bound should ensure enough distinct patterns.
        s: synapses, likewise, at most a.
        theta: threshold, likewise.
    Raises:
        InputError: no sizes within the bounds meet both targets (the message gives the limits), or a bound is invalid.
    Source: ours, from Ahmad & Hawkins, arXiv 1601.00720, equations 4 and 6.
    """
    fp, fn = log_target("target_fp", target_fp), log_target("target_fn", target_fn)
    noise = probability("target_noise", target_noise)
    least_n, most_n = _bounds("n", n)
    theta_range = _bounds("theta", theta)
    candidates = list(_candidates(_bounds("a", a), _bounds("s", s), theta_range, float(noise), fn))
    sizes: list[Sizes] = []
    for active, synapses, threshold, moved in candidates:
        least = max(least_n, active + moved)
        if (cells := _cheapest(least, most_n, active, synapses, threshold, fp)) is not None:
            sizes.append((cells, active, synapses, threshold, moved))
    if not sizes:
        raise InputError(_nothing(candidates, most_n, target_fp, target_fn, target_noise))
    return [_centred(size, theta_range[0], target_fp, target_fn) for size in _pareto(sizes)]


def _bounds(name: str, bound: Bound) -> tuple[int, int]:
    ends = bound if isinstance(bound, tuple) else (bound, bound)
    if len(ends) != 2 or not 1 <= whole(**{name: ends[0]})[0] <= whole(**{name: ends[1]})[0]:
        raise InputError(f"{name}: expected a positive number or (smallest, largest), got {bound}. Correct the bounds.")
    low, high = map(int, ends)
    return low, high


def _candidates(
    a: tuple[int, int], s: tuple[int, int], theta: tuple[int, int], noise: float, fn: float
) -> Iterator[tuple[int, int, int, int]]:
    """Yield each (a, s, theta, v) with the largest theta that the false negatives allow, unless a smaller a allows it for the same s."""
    most_s = min(s[1], a[1])
    if (pairs := (a[1] - a[0] + 1) * (most_s - s[0] + 1)) > _MOST_PAIRS:
        raise InputError(f"expected bounds with at most {_MOST_PAIRS:,} pairs of a and s, got {pairs:,}. Narrow the bounds of a or s.")
    active = np.arange(a[0], a[1] + 1)[:, None]
    synapses = np.arange(s[0], most_s + 1)
    moved = np.ceil(np.round(noise * active, 9)).astype(np.int64)
    stored = np.minimum(synapses, active)
    low, high = np.full(stored.shape, theta[0] - 1), np.minimum(stored, theta[1])
    while (low < high).any():
        middle = (low + high + 1) // 2
        meets = false_negative(active, stored, moved, middle, log=True) <= fn
        low, high = np.where(meets, middle, low), np.where(meets, high, middle - 1)
    highest = np.where((low >= theta[0]) & (synapses <= active), low, 0)
    before = np.maximum.accumulate(np.vstack([np.zeros_like(synapses), highest[:-1]]))
    for row, column in np.argwhere(highest > before):
        yield int(active[row, 0]), int(synapses[column]), int(highest[row, column]), int(moved[row, 0])


def _cheapest(least: int, most: int, a: int, s: int, theta: int, fp: float) -> int | None:
    """Return the smallest number of cells from `least` to `most` that meets the target, or None."""
    return smallest(lambda n: bool(false_positive(n, a, s, theta, log=True) <= fp), least, most)


def _pareto(sizes: list[Sizes]) -> list[Sizes]:
    """Return the sizes that are not dominated in n, a and s, sorted by s, then a."""
    front: list[Sizes] = []
    for size in sorted(sizes, key=lambda size: (size[2], size[1])):
        if not any(kept[0] <= size[0] and kept[1] <= size[1] for kept in front):
            front.append(size)
    return front


def _centred(sizes: Sizes, least: int, target_fp: float, target_fn: float) -> Design:
    """Return the design with the theta, from `least` to the one in `sizes`, that maximises the smaller margin."""
    n, a, s, top, v = sizes
    thetas = np.arange(least, top + 1)
    positives = false_positive(n, a, s, thetas, log=True)
    negatives = false_negative(a, s, v, thetas, log=True)
    margins = np.stack([math.log(target_fp) - positives, math.log(target_fn) - negatives]) / math.log(10)
    best = int(margins.min(0).argmax())
    rates = float(np.exp(positives[best])), float(np.exp(negatives[best]))
    return Design(n, a, s, int(thetas[best]), v, *rates, float(margins[0, best]), float(margins[1, best]))


def _nothing(candidates: list[tuple[int, int, int, int]], n: int, target_fp: float, target_fn: float, noise: float) -> str:
    """Return the error message for an empty result: the limits, and how to change the bounds."""
    if not candidates:
        return (
            f"No theta within the bounds keeps false negatives <= {target_fn:g} with {noise:.3g} of the active cells moved; "
            "lower theta, raise s or a, or lower the noise."
        )
    rates = [(false_positive(max(n, a + v), a, s, theta), a, s, theta) for a, s, theta, v in candidates]
    best, a, s, theta = min(rates)
    return (
        f"No sizes within the bounds meet both targets: false negatives <= {target_fn:g} allow theta <= {theta} at a={a}, s={s}, where "
        f"false positives are {best:.3g} at n={n}, above {target_fp:g}; raise n or s, lower a or the noise."
    )
