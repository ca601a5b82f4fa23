"""The hypergeometric and the binomial law in float64.

Both count marked balls among those drawn from an urn, without or with replacement. Every weight is a product of ratios of neighbours,
relative to the weight of the most likely count, and the sum of all weights normalises them: no logarithm of a factorial is taken,
no terms cancel, and the relative error grows by a few roundings per step away from the most likely count.
Source: the ratio of neighbours is the recursion of the laws; the arrangement is ours.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..compiled import compiled
from ..errors import InputError

BLOCK_BITS = 512
"""A weight is a float and a number of blocks, each worth 2^-512, so that it does not underflow at 1e-308."""

_WORTH_COMPILING = 20_000
"""Steps of the loop, about 20 ms of plain Python: below it, nobody should wait 0.5 s for the compiler."""

_LONGEST, _MOST_STEPS = 10**8, 10**11
"""Counts of one law, in 2 GB, and of all, in 10 minutes."""


def upper_tails(
    marked: ArrayLike,
    unmarked: ArrayLike,
    draws: ArrayLike,
    count: ArrayLike,
    *,
    replaced: bool = False,
    exactly: bool = False,
    log: bool = False,
) -> NDArray[np.float64]:
    """P[at least `count` marked balls among those drawn]; arrays broadcast, and equal urns share one pass over their law.

    Args:
        marked: marked balls in the urn; with replacement, only its proportion to `unmarked` matters.
        unmarked: all other balls.
        draws: how many are drawn; a real number gives the law over the integers that it can reach.
        count: any integer.
        replaced: whether a ball is put back before the next is drawn: the binomial law.
        exactly: return P[exactly `count`] instead.
        log: return natural logarithms.
    Raises:
        ValueError: a law reaches more than 10^8 counts, or all of them together more than 10^11.
    """
    *balls, counts = np.broadcast_arrays(marked, unmarked, draws, count)
    shape = counts.shape
    urns = [values.astype(np.float64).ravel() for values in balls]
    order = np.lexsort(urns)
    urns = [values[order] for values in urns]
    starts = np.ones(len(order), bool)
    starts[1:] = np.any([values[1:] != values[:-1] for values in urns], axis=0)
    support = (urns[2] if replaced else np.minimum(urns[0], urns[2]))[starts]
    longest = int(support.max(initial=0)) + 1
    if longest > _LONGEST:
        raise InputError(
            f"expected overlaps of at most {_LONGEST:,} cells, got up to {longest - 1:,}. Choose smaller patterns or segments."
        )
    if support.sum() > _MOST_STEPS:
        raise InputError(f"expected laws of at most {_MOST_STEPS:.0e} overlaps in all, got {support.sum():.0e}. Evaluate fewer settings.")
    worth = len(order) + support.sum() > _WORTH_COMPILING
    loop = compiled(_fill, reorder=False) if worth else _fill
    shares, blocks, taken = np.zeros(len(order)), np.zeros(len(order), np.int64), 0.0 if replaced else 1.0
    rest = np.zeros(len(order), bool)
    loop(urns[0], urns[1], urns[2], counts.astype(np.int64).ravel()[order], starts, longest, taken, exactly, shares, blocks, rest)
    tails = np.empty(len(order))
    tails[order] = _probabilities(shares, -BLOCK_BITS * blocks, rest, log)
    return tails.reshape(shape)


def _probabilities(shares: NDArray[np.float64], exponents: NDArray[np.int64], rest: NDArray[np.bool_], log: bool) -> NDArray[np.float64]:
    """share * 2^exponent, or where `rest` what it leaves of 1; or their logarithms."""
    small = np.ldexp(shares, exponents)
    if not log:
        return np.where(rest, 1.0 - small, small)
    with np.errstate(divide="ignore"):
        return np.where(rest, np.log1p(-small), np.log(shares) + exponents * math.log(2.0))


def _fill(
    marked: NDArray[np.float64],
    unmarked: NDArray[np.float64],
    draws: NDArray[np.float64],
    counts: NDArray[np.int64],
    starts: NDArray[np.bool_],
    longest: int,
    taken: float,
    exactly: bool,
    shares: NDArray[np.float64],
    share_blocks: NDArray[np.int64],
    rest: NDArray[np.bool_],
) -> None:
    """The smaller of the two tails of every setting, [N], sorted by urn: one function, because numba compiles no calls of plain ones.

    Args:
        starts: where a new urn begins, bool [N].
        longest: the most counts that one law reaches.
        taken: 1 if a drawn ball leaves the urn, 0 if it is put back.
        shares: zeros, to be filled with weights as shares of all.
        share_blocks: zeros, to be filled with their blocks.
        rest: False, to be set where it is the lower tail.
    """
    tiny, block = 2.0**-BLOCK_BITS, 2.0**BLOCK_BITS
    # At index k - low, in units of `total`: P[exactly k], or above the mode P[at least k] and below it P[at most k].
    sums, blocks = np.empty(longest), np.empty(longest, np.int64)
    low, mode, high, total = 0, 0, 0, 1.0
    for i in range(len(counts)):
        if starts[i]:
            K, L, D = float(marked[i]), float(unmarked[i]), float(draws[i])
            low = math.floor(max(0.0, taken * (D - L)))
            high = math.floor(min(D, K) if taken else D)
            mode = min(max(math.floor((D + 1) * (K + taken) / (K + L + 2 * taken)), low), high)
            sums[mode - low], blocks[mode - low] = 1.0, 0
            for step, end in ((1, high), (-1, low)):
                weight, scale = 1.0, 0
                for k in range(mode, end, step):
                    if step > 0:
                        ratio = (D - k) * (K - taken * k) / ((k + 1) * (L - taken * (D - k - 1)))
                    else:
                        ratio = k * (L - taken * (D - k)) / ((D - k + 1) * (K - taken * (k - 1)))
                    if ratio < tiny:  # a share of 1e-200
                        ratio *= block
                        scale += 1
                    weight *= ratio
                    if weight < tiny:
                        weight *= block
                        scale += 1
                    sums[k + step - low], blocks[k + step - low] = weight, scale
            above = below = 0.0
            for k in range(high - low, mode - low, -1):
                above += sums[k]
                if not exactly:
                    sums[k] = above
                above = math.ldexp(above, BLOCK_BITS * int(blocks[k - 1] - blocks[k]))
            for k in range(mode - low):
                below += sums[k]
                if not exactly:
                    sums[k] = below
                below = math.ldexp(below, BLOCK_BITS * int(blocks[k + 1] - blocks[k]))
            total = 1.0 + above + below
        k = int(counts[i])
        rest[i] = k <= mode and not exactly
        at = k - rest[i]
        if low <= at <= high:
            shares[i], share_blocks[i] = sums[at - low] / total, blocks[at - low]


def log_sum(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the sum over the last axis of numbers given by their logarithms."""
    top = np.max(logs, axis=-1, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(logs - top).sum(-1)) + top[..., 0])


def log_complement(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(1 - p) from log p, accurate for p near 0 and near 1."""
    with np.errstate(divide="ignore"):
        return np.where(logs > -math.log(2), np.log(-np.expm1(logs)), np.log1p(-np.exp(logs)))
