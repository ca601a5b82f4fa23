"""Inverse problems: the number of cells, synapses, segments or patterns, and the noise, that a target error rate allows."""

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .arguments import probability, whole
from .bisection import largest, log_target, smallest
from .probability import false_negative, false_positive, set_false_positive
from .unions import union_false_positive

LARGEST = 2**53  # above it, float64 does not represent all integers


def min_n(a: int, s: int, theta: int, target_fp: float) -> int:
    """Find the smallest number of cells n at which a random pattern matches with probability <= `target_fp`.

    Args:
        a: active cells of a pattern.
        s: synapses of a segment.
        theta: overlap from which the segment matches.
        target_fp: largest false-positive rate. Here and in all inverse problems, a rate within a relative 1e-12 of it is accepted.
    Raises:
        InputError: no n up to 2**53 meets the target.
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
    """Find the smallest number of synapses s that meets both targets, at a fixed `theta` or at theta = ceil(fraction * s).

    With a fixed theta, the false negatives give a lower bound of s and the false positives an upper bound. With a fraction, neither error
    is monotone in s, so all s up to a are evaluated; `multiple_of=2` keeps theta = s / 2 exact.

    Args:
        n: number of cells.
        a: active cells of a pattern.
        target_fp: largest false-positive rate.
        theta: fixed overlap from which the segment matches.
        fraction: threshold as a fraction of the synapses, 0 to 1, instead of `theta`.
        v: number of active cells of the stored pattern that are moved.
        target_fn: largest false-negative rate.
        multiple_of: consider only multiples of this number.
    Raises:
        InputError: no s <= a meets both targets (the message gives both ranges), or not exactly one of `theta` and `fraction` is given.
    """
    n, a, v, multiple_of = whole(n=n, a=a, v=v, multiple_of=multiple_of)
    fp, fn = log_target("target_fp", target_fp), log_target("target_fn", target_fn)
    if multiple_of > a:
        raise InputError(f"multiple_of: expected at most a={a}, got {multiple_of}. Lower it.")
    sizes = np.arange(multiple_of, a + 1, multiple_of)
    if theta is not None and fraction is None:
        thetas = np.full(len(sizes), whole(theta=theta)[0])
    elif fraction is not None and theta is None:
        thetas = np.ceil(np.round(float(probability("fraction", fraction)) * sizes, 9)).astype(np.int64)
    else:
        raise InputError(f"theta, fraction: expected exactly one of the two, got theta={theta} and fraction={fraction}. Pass one.")
    fires = false_positive(n, a, sizes, thetas, log=True) <= fp
    misses = false_negative(a, sizes, v, thetas, log=True) <= fn
    if not (fires & misses).any():
        raise InputError(
            f"No s up to a={a} meets both targets: false positives <= {target_fp:g} hold {_range(sizes[fires])}, "
            f"false negatives <= {target_fn:g} {_range(sizes[misses])}; raise n, lower v or allow more errors."
        )
    return int(sizes[fires & misses][0])


def max_noise(a: int, s: int, theta: int, target_fn: float) -> int:
    """Find the largest number v of moved active cells at which a stored pattern is missed with probability <= `target_fn`.

    Args:
        a: active cells of the pattern; requires n >= a + v.
        s: number of synapses, all on active cells of the pattern.
        theta: overlap from which the segment matches; up to v = s - theta it never misses.
        target_fn: largest false-negative rate.
    Raises:
        InputError: the pattern is missed even without noise (theta > s).
    """
    a, s, theta = whole(a=a, s=s, theta=theta)
    target = log_target("target_fn", target_fn)
    found = largest(lambda v: false_negative(a, s, v, theta, log=True) <= target, 0, a)
    if found is None:
        raise InputError(f"Even without noise s={s} synapses never reach theta={theta}; lower theta to at most s.")
    return found


def max_set(n: int, a: int, s: int, theta: int, target_fp: float) -> int:
    """Find the largest number m of independent segments at which a random pattern matches any of them with probability <= `target_fp`.

    Args:
        n: number of cells.
        a: active cells of a pattern.
        s: synapses of a segment.
        theta: overlap from which a segment matches.
        target_fp: largest false-positive rate.
    Raises:
        InputError: one segment alone exceeds the target, or even 2**53 segments meet it.
    """
    n, a, s, theta = whole(n=n, a=a, s=s, theta=theta)
    target = log_target("target_fp", target_fp)
    found = largest(lambda m: set_false_positive(n, a, s, theta, m, log=True) <= target, 1, LARGEST)
    return _capacity(found, n, a, s, theta, target_fp)


def union_capacity(n: int, a: int, s: int, theta: int, target_fp: float) -> int:
    """Find the largest number m of patterns, with s synapses each, whose union a random pattern matches with probability <= `target_fp`.

    The error rate of the union is exact (covering chain).

    Args:
        n: number of cells.
        a: active cells of a pattern.
        s: synapses per stored pattern.
        theta: overlap from which the segment matches.
        target_fp: largest false-positive rate.
    Raises:
        InputError: as in `max_set`.
    """
    n, a, s, theta = whole(n=n, a=a, s=s, theta=theta)
    target = log_target("target_fp", target_fp)
    if theta > a or target_fp == 1:  # the chain of 2**53 patterns would not terminate
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
