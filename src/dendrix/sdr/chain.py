"""The covering chain in float64: how many cells of a fixed pattern a union covers, pattern by pattern.

With a cells, of which k are covered, a random pattern of s cells covers Hypergeom(n, a - k, s) more. Steps of equal patterns are taken
by repeated squaring. What stays is kept as the logarithm of its probability, and what moves is scaled so that the answer is near 1: all
terms are positive, so neither thousands of patterns nor probabilities below 1e-308 lose digits.
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
    """log P[at least `top` cells covered in the end].

    Args:
        n: cells.
        a: cells of the fixed pattern.
        sizes: how many patterns of each size are added.
        start: log P[k covered before], k = 0 to top; the last stands for top or more.
        tilt: a state counts for exp(tilt) more per covered cell while the chain runs.
    """
    top = len(start) - 1
    covered = np.arange(top + 1)
    state = np.exp(start + tilt * covered)
    for size, times in sizes.items():
        log_stay, log_move = _step(n, a, size, top)
        state = _advance(state, np.append(log_stay, 0.0), np.exp(log_move + tilt * (covered - covered[:, None])), times)
    return _log(float(state[-1])) - tilt * top


def missed(n: int, a: int, sizes: dict[int, int], start: Logs) -> float:
    """log P[fewer than `top` cells covered in the end]; arguments as in `reached`."""
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
    """log P[k cells covered in the end], k = 0 to top; arguments as in `reached`."""
    top = len(start) - 1
    state = np.exp(start)
    for size, times in sizes.items():
        log_stay, log_move = _step(n, a, size, top)
        state = _advance(state, np.append(log_stay, 0.0), np.exp(log_move), times)
    with np.errstate(divide="ignore"):
        return np.log(state)


@functools.lru_cache(maxsize=4)
def _step(n: int, a: int, size: int, top: int) -> tuple[Logs, Logs]:
    """log P[no new cell], [top], and log P[from i to j > i covered], [top + 1, top + 1], the last column for top or more.

    Kept, because a search for the largest m asks for the same step again and again.
    """
    if top > _MOST_STATES:
        raise InputError(f"expected theta up to {_MOST_STATES:,} for a union, got {top:,}. Use mode='plugin_real'.")
    covered = np.arange(top)
    hidden = a - covered
    # None of the hidden cells is drawn, one after the other; where there are too few others, one factor is 0.
    with np.errstate(divide="ignore"):
        log_spared = np.log1p(-np.minimum(size / (n - np.arange(a)), 1))
    log_stay = np.cumsum(log_spared)[::-1][:top]
    log_move = np.full((top + 1, top + 1), -math.inf)
    i, j = np.triu_indices(top, 1)
    log_move[i, j] = upper_tails(hidden[i], n - hidden[i], size, j - i, exactly=True, log=True)
    log_move[:top, top] = upper_tails(hidden, n - hidden, size, top - covered, log=True)
    return log_stay, log_move


def _advance(state: Logs, log_stay: Logs, move: Logs, times: int) -> Logs:
    """The state after so many equal steps."""
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
