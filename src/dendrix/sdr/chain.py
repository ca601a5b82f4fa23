"""Covering chain in float64: the number of cells of a fixed pattern that a union covers, as a Markov chain over the stored patterns.

If k of the a cells are covered, a random pattern of s cells covers Hypergeom(n, a - k, s) more. Equal steps are combined by repeated
squaring. The probability of staying is kept as a logarithm, and the transition probabilities are scaled so that the result is near 1. All
terms are positive, so thousands of patterns and probabilities below 1e-308 keep full precision.
Source: ours.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .tails import upper_tails

Logs = NDArray[np.float64]

_MOST_STATES = 2000


def reached(n: int, a: int, sizes: dict[int, int], start: Logs, tilt: float) -> float:
    """Compute log P[at least `top` cells are covered], with top = len(start) - 1.

    Args:
        n: number of cells.
        a: cells of the fixed pattern.
        sizes: number of added patterns by their size.
        start: log P[k cells are covered initially], k = 0 to top; the last entry is for top or more.
        tilt: exponent per covered cell by which states are scaled while the chain runs.
    """
    top = len(start) - 1
    covered = np.arange(top + 1)
    state = np.exp(start + tilt * covered)
    for size, times in sizes.items():
        log_stay, log_move = _step(n, a, size, top)
        state = _advance(state, np.append(log_stay, 0.0), np.exp(log_move + tilt * (covered - covered[:, None])), times)
    return _log(float(state[-1])) - tilt * top


def missed(n: int, a: int, sizes: dict[int, int], start: Logs) -> float:
    """Compute log P[fewer than `top` cells are covered]. Arguments as in `reached`."""
    top = len(start) - 1
    scale = float(start[:top].max(initial=-math.inf))
    if scale == -math.inf:
        return scale
    state = np.exp(start[:top] - scale)
    for size, times in sizes.items():
        log_stay, log_move = _step(n, a, size, top)
        longest = float(log_stay[-1])
        if longest == -math.inf:
            return -math.inf
        state = _advance(state, log_stay - longest, np.exp(log_move[:top, :top] - longest), times)
        scale += times * longest
    return scale + _log(float(state.sum()))


def distribution(n: int, a: int, sizes: dict[int, int], start: Logs) -> Logs:
    """Compute log P[k cells are covered], k = 0 to top. Arguments as in `reached`."""
    top = len(start) - 1
    state = np.exp(start)
    for size, times in sizes.items():
        log_stay, log_move = _step(n, a, size, top)
        state = _advance(state, np.append(log_stay, 0.0), np.exp(log_move), times)
    with np.errstate(divide="ignore"):
        return np.log(state)


@functools.lru_cache(maxsize=4)
def _step(n: int, a: int, size: int, top: int) -> tuple[Logs, Logs]:
    """Return log P[no new cell is covered], [top], and log P[j > i cells are covered after i], [top + 1, top + 1]; last column: top or
    more.

    Cached, because a search for the largest m evaluates the same step many times.
    """
    if top > _MOST_STATES:
        raise InputError(f"expected theta up to {_MOST_STATES:,} for a union, got {top:,}. Use mode='plugin_real'.")
    covered = np.arange(top)
    hidden = a - covered
    # Product over the hidden cells of P[cell is not drawn]; if there are too few other cells, a factor is 0.
    with np.errstate(divide="ignore"):
        log_spared = np.log1p(-np.minimum(size / (n - np.arange(a)), 1))
    log_stay = np.cumsum(log_spared)[::-1][:top]
    log_move = np.full((top + 1, top + 1), -math.inf)
    i, j = np.triu_indices(top, 1)
    log_move[i, j] = upper_tails(hidden[i], n - hidden[i], size, j - i, exactly=True, log=True)
    log_move[:top, top] = upper_tails(hidden, n - hidden, size, top - covered, log=True)
    return log_stay, log_move


def _advance(state: Logs, log_stay: Logs, move: Logs, times: int) -> Logs:
    """Return the state after `times` equal steps."""
    stay = np.exp(log_stay)
    while times:
        if times % 2:
            state = state * stay + state @ move
        times //= 2
        if times:
            move = stay[:, None] * move + move * stay + move @ move
            log_stay = 2 * log_stay
            stay = np.exp(log_stay)
    return state


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
