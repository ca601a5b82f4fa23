"""Tails of the hypergeometric and the binomial law in float64.

Both count marked balls among those drawn from an urn, without or with replacement. Every weight is a product of ratios of neighbours,
relative to the weight of the most likely count, and the sum of all weights normalises them: no logarithm of a factorial is
ever taken, all terms are positive, and a relative error grows by two roundings per step away from the most likely count.
Source: the ratio of neighbours is the recursion of the laws; the arrangement is ours.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled

BLOCK_BITS = 512
"""A weight is kept as a float and a number of blocks, worth 2^-512 each, so that it does not underflow at 1e-308."""

_WORTH_COMPILING = 100_000
"""Steps of the loop, about 0.1 s of plain Python: below it, loading the compiler costs more than it saves."""


def upper_tails(
    marked: NDArray[np.float64],
    unmarked: NDArray[np.float64],
    draws: NDArray[np.float64],
    at_least: NDArray[np.int64],
    replaced: bool = False,
    log: bool = False,
) -> NDArray[np.float64]:
    """P[at least so many marked balls among those drawn], for arrays of one shape; equal urns share one pass over the law.

    Args:
        marked: marked balls in the urn; with replacement, only its proportion to `unmarked` matters.
        unmarked: all other balls.
        draws: how many are drawn; a real number gives the law over the integers that it can reach.
        at_least: the smallest count of the tail, any integer.
        replaced: whether a ball is put back before the next is drawn: the binomial law.
        log: return natural logarithms.
    """
    shape = np.shape(at_least)
    urns = [np.ravel(values).astype(np.float64) for values in (marked, unmarked, draws)]
    counts = np.ravel(at_least)
    order = np.lexsort(urns)
    urns = [values[order] for values in urns]
    starts = np.ones(len(order), bool)
    starts[1:] = np.any([values[1:] != values[:-1] for values in urns], axis=0)
    support = (urns[2] if replaced else np.minimum(urns[0], urns[2]))[starts]
    worth = len(order) + support.sum() > _WORTH_COMPILING
    loop = compiled(_fill, reorder=False) if worth else _fill
    result = np.empty(len(order))
    loop(*urns, counts[order], starts, int(support.max(initial=0)) + 1, 0.0 if replaced else 1.0, log, result)
    tails = np.empty(len(order))
    tails[order] = result
    return tails.reshape(shape)


def _fill(
    marked: NDArray[np.float64],
    unmarked: NDArray[np.float64],
    draws: NDArray[np.float64],
    at_least: NDArray[np.int64],
    starts: NDArray[np.bool_],
    longest: int,
    taken: float,
    log: bool,
    tails: NDArray[np.float64],
) -> None:
    """The tails of settings sorted by urn.

    Args:
        starts: where a new urn begins, bool [N].
        longest: the most counts that one law reaches.
        taken: 1 if a drawn ball leaves the urn, 0 if it is put back.
        tails: filled, [N].
    """
    block = 2.0**BLOCK_BITS
    sums = np.empty(longest)  # above the mode P[X >= k] from index k - low on, below it P[X <= k], both times `total`
    blocks = np.empty(longest, np.int64)
    total = 1.0
    low = mode = high = 0
    for i in range(len(tails)):
        if starts[i]:
            K, L, D = float(marked[i]), float(unmarked[i]), float(draws[i])
            low = math.ceil(max(0.0, taken * (D - L)))
            high = math.floor(min(D, K) if taken else D)
            mode = min(max(math.floor((D + 1) * (K + taken) / (K + L + 2 * taken)), low), high)
            weight, scale = 1.0, 0
            for k in range(mode, high):
                weight *= (D - k) * (K - taken * k) / ((k + 1) * (L - taken * (D - k - 1)))
                if weight * block < 1:
                    weight *= block
                    scale += 1
                sums[k + 1 - low], blocks[k + 1 - low] = weight, scale
            weight, scale = 1.0, 0
            for k in range(mode, low, -1):
                weight *= k * (L - taken * (D - k)) / ((D - k + 1) * (K - taken * (k - 1)))
                if weight * block < 1:
                    weight *= block
                    scale += 1
                sums[k - 1 - low], blocks[k - 1 - low] = weight, scale
            for k in range(high - 1 - low, mode - low, -1):
                sums[k] += math.ldexp(sums[k + 1], BLOCK_BITS * int(blocks[k] - blocks[k + 1]))
            for k in range(1, mode - low):
                sums[k] += math.ldexp(sums[k - 1], BLOCK_BITS * int(blocks[k] - blocks[k - 1]))
            above = math.ldexp(sums[mode + 1 - low], -BLOCK_BITS * int(blocks[mode + 1 - low])) if mode < high else 0.0
            below = math.ldexp(sums[mode - 1 - low], -BLOCK_BITS * int(blocks[mode - 1 - low])) if mode > low else 0.0
            total = 1.0 + above + below
        k = at_least[i]
        if k <= low:
            tails[i] = 0.0 if log else 1.0
        elif k > high:
            tails[i] = -math.inf if log else 0.0
        elif k > mode:
            share, scale = sums[k - low] / total, -BLOCK_BITS * int(blocks[k - low])
            if not log:
                tails[i] = math.ldexp(share, scale)
            else:
                tails[i] = math.log(share) + scale * math.log(2.0) if share > 0 else -math.inf
        else:
            rest = math.ldexp(sums[k - 1 - low] / total, -BLOCK_BITS * int(blocks[k - 1 - low]))
            tails[i] = math.log1p(-rest) if log else 1.0 - rest
