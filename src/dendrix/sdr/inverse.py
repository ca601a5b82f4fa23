"""Sizes for a target: how many cells, synapses, segments or patterns, and how much noise, an error rate allows."""

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .arguments import probability, whole
from .bisection import largest, log_target, smallest
from .probability import false_negative, false_positive, set_false_positive
from .unions import union_false_positive

LARGEST = 2**53  # beyond it float64 does not tell whole numbers apart


def min_n(a: int, s: int, theta: int, target_fp: float) -> int:
    """The fewest cells n at which a random pattern matches with probability <= `target_fp`.

    Args:
        a: active cells of a pattern.
        s: synapses of a segment.
        theta: overlap from which the segment matches.
        target_fp: highest false-positive rate; one within 1e-12 of it, relatively, counts as equal here and in all inverse problems.
    Raises:
        ValueError: if no n up to 2**53 meets the target.
    """
    a, s, theta = whole(a=a, s=s, theta=theta)
    target = log_target("target_fp", target_fp)
    found = smallest(lambda n: false_positive(n, a, s, theta, log=True) <= target, max(a, s), LARGEST)
    if found is None:
        best = false_positive(LARGEST, a, s, theta)
        raise InputError(f"No n up to {LARGEST} has false positives <= {target_fp:g}: they are {best:.3g} there; raise theta or target_fp.")
    return found


def min_s(
    n: int,
    a: int,
    target_fp: float,
    *,
    theta: int | None = None,
    fraction: float | None = None,
    v: int = 0,
    target_fn: float = 1.0,
    multiple_of: int = 1,
) -> int:
    """The fewest synapses s that meet both targets, at a fixed `theta` or at theta = ceil(fraction * s).

    A fixed theta bounds s from below by the false negatives and from above by the false positives. With a fraction neither is monotone
    (theta moves only at some s), so all s up to a are looked at; `multiple_of=2` keeps theta = s / 2 exact.

    Args:
        n: number of cells.
        a: active cells of a pattern.
        target_fp: highest false-positive rate.
        theta: overlap from which the segment matches, fixed.
        fraction: the threshold as a share of the synapses, 0 to 1, instead of `theta`.
        v: active cells of the stored pattern that move.
        target_fn: highest false-negative rate.
        multiple_of: look only at multiples of this number.
    Raises:
        ValueError: if no s <= a meets both; it states both bounds.
    """
    n, a, v, multiple_of = whole(n=n, a=a, v=v, multiple_of=multiple_of)
    fp, fn = log_target("target_fp", target_fp), log_target("target_fn", target_fn)
    if multiple_of > a:
        raise InputError(f"multiple_of must be at most a={a}, got {multiple_of}.")
    sizes = np.arange(multiple_of, a + 1, multiple_of)
    if theta is not None and fraction is None:
        thetas = np.full(len(sizes), whole(theta=theta)[0])
    elif fraction is not None and theta is None:
        thetas = np.ceil(np.round(float(probability("fraction", fraction)) * sizes, 9)).astype(np.int64)
    else:
        raise InputError(f"Pass theta or fraction, one of the two, got theta={theta} and fraction={fraction}.")
    fires = false_positive(n, a, sizes, thetas, log=True) <= fp
    misses = false_negative(a, sizes, v, thetas, log=True) <= fn
    if not (fires & misses).any():
        raise InputError(
            f"No s up to a={a} meets both targets: false positives <= {target_fp:g} hold {_range(sizes[fires])}, "
            f"false negatives <= {target_fn:g} {_range(sizes[misses])}; raise n, lower v or allow more errors."
        )
    return int(sizes[fires & misses][0])


def max_noise(a: int, s: int, theta: int, target_fn: float) -> int:
    """The largest number v of moved active cells at which a stored pattern is missed with probability <= `target_fn`.

    Args:
        a: active cells of the pattern; n must leave room, n >= a + v.
        s: synapses, all on active cells of the pattern.
        theta: overlap from which the segment matches; up to v = s - theta it never misses.
        target_fn: highest false-negative rate.
    Raises:
        ValueError: if even a pattern without noise is missed (theta > s).
    """
    a, s, theta = whole(a=a, s=s, theta=theta)
    target = log_target("target_fn", target_fn)
    found = largest(lambda v: false_negative(a, s, v, theta, log=True) <= target, 0, a)
    if found is None:
        raise InputError(f"Even without noise s={s} synapses never reach theta={theta}; lower theta to at most s.")
    return found


def max_set(n: int, a: int, s: int, theta: int, target_fp: float) -> int:
    """The largest number m of independent segments that a random pattern matches, any of them, with probability <= `target_fp`.

    Raises:
        ValueError: if one segment is too many already, or 2**53 are not enough to reach the target.
    """
    n, a, s, theta = whole(n=n, a=a, s=s, theta=theta)
    target = log_target("target_fp", target_fp)
    found = largest(lambda m: set_false_positive(n, a, s, theta, m, log=True) <= target, 1, LARGEST)
    return _capacity(found, n, a, s, theta, target_fp)


def union_capacity(n: int, a: int, s: int, theta: int, target_fp: float) -> int:
    """The largest number m of patterns, s synapses each, whose union a random pattern matches with probability <= `target_fp`.

    The exact union is used (the covering chain). Raises as `max_set` does.
    """
    n, a, s, theta = whole(n=n, a=a, s=s, theta=theta)
    target = log_target("target_fp", target_fp)
    if theta > a or target_fp == 1:  # the chain of 2**53 patterns would not end
        return _capacity(LARGEST, n, a, s, theta, target_fp)
    found = largest(lambda m: union_false_positive(n, a, s, theta, m, log=True) <= target, 1, LARGEST)
    return _capacity(found, n, a, s, theta, target_fp)


def _capacity(found: int | None, n: int, a: int, s: int, theta: int, target_fp: float) -> int:
    single = false_positive(n, a, s, theta)
    if found is None:
        raise InputError(
            f"One segment alone has false positives {single:.3g}, above the target {target_fp:g}; raise theta or n, or lower a or s."
        )
    if found == LARGEST:
        raise InputError(
            f"No limit below 2**53: one segment has false positives {single:.3g} and the target is {target_fp:g}; lower theta."
        )
    return found


def _range(sizes: NDArray[np.int64]) -> str:
    return f"within s={sizes[0]}..{sizes[-1]}" if len(sizes) else "for no s"
