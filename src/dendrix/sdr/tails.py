"""Tails of the hypergeometric and the binomial distribution in float64.

Both are the distribution of the number of marked balls drawn from an urn, without or with replacement. Weights are products of the ratios
of neighbouring probabilities, relative to the mode, and are normalised by their sum. No logarithm of a factorial is needed and no terms
cancel; the relative error grows by a few roundings per step from the mode.
Source: the ratios are the standard recursions; the algorithm is ours.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..compiled import compiled
from ..errors import InputError

BLOCK_BITS = 512
"""Weights are stored as a float and a number of blocks of 2^-512, so that they do not underflow at 1e-308."""

_WORTH_COMPILING = 20_000
"""Number of steps, about 20 ms of plain Python, below which the loop is not compiled: loading the compiler takes 0.5 s."""

_LONGEST, _MOST_STEPS = 10**8, 10**11
"""Largest support of one distribution, 2 GB, and of all distributions, 10 minutes."""


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
    """Compute P[at least `count` marked balls are drawn]. Arrays broadcast; equal urns share one pass over their distribution.

    Args:
        marked: number of marked balls in the urn; with replacement, only its ratio to `unmarked` matters.
        unmarked: number of other balls.
        draws: number of drawn balls; a real number extends the distribution to the integers that it allows.
        count: any integer.
        replaced: draw with replacement: the binomial distribution.
        exactly: return P[exactly `count`] instead.
        log: return natural logarithms.
    Raises:
        InputError: the support of a distribution exceeds 10^8 counts, or that of all distributions 10^11.
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
        raise InputError(
            f"expected at most {_MOST_STEPS:.0e} overlaps over all settings, got {support.sum():.0e}. Evaluate fewer settings."
        )
    worth = len(order) + support.sum() > _WORTH_COMPILING
    loop = compiled(_fill, reorder=False) if worth else _fill
    shares, blocks, taken = np.zeros(len(order)), np.zeros(len(order), np.int64), 0.0 if replaced else 1.0
    rest = np.zeros(len(order), bool)
    loop(urns[0], urns[1], urns[2], counts.astype(np.int64).ravel()[order], starts, longest, taken, exactly, shares, blocks, rest)
    tails = np.empty(len(order))
    tails[order] = _probabilities(shares, -BLOCK_BITS * blocks, rest, log)
    return tails.reshape(shape)


def _probabilities(shares: NDArray[np.float64], exponents: NDArray[np.int64], rest: NDArray[np.bool_], log: bool) -> NDArray[np.float64]:
    """Return share * 2^exponent, or 1 minus it where `rest` is True, or the logarithms of these."""
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
    """Compute the smaller of the two tails of every setting, [N], sorted by urn. One function, because numba cannot call uncompiled ones.

    Args:
        marked, unmarked, draws, counts: settings, [N].
        starts: True where a new urn begins, bool [N].
        longest: largest support of a distribution.
        taken: 1 without replacement, 0 with replacement.
        exactly: compute P[exactly `counts`] instead.
        shares: zeros, set to the normalised weights.
        share_blocks: zeros, set to the number of blocks of the weights.
        rest: False, set to True where the result is the lower tail.
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
                    if ratio < tiny:  # with a success probability such as 1e-200
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
    """Compute the logarithm of the sum over the last axis of numbers given by their logarithms."""
    top = np.max(logs, axis=-1, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(logs - top).sum(-1)) + top[..., 0])


def log_complement(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute log(1 - p) from log p, accurate for p near 0 and near 1."""
    with np.errstate(divide="ignore"):
        return np.where(logs > -math.log(2), np.log(-np.expm1(logs)), np.log1p(-np.exp(logs)))
