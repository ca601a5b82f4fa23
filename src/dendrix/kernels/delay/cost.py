"""Cost model of the algorithms for delay layers: deterministic in shapes and density, so that a resumed run makes the same choices.

The unit is one multiply-add inside a large matrix product. The constants are ratios of processor operations, not measured times.
"""

from functools import lru_cache
from typing import NamedTuple

from .spectral import Window, rank

_MOVE = 8
"""One number read from memory and written back."""
_CALL = 150_000
"""One call of a torch operation."""
_ROW = 2
"""One multiply-add in a loop that adds a row of the kernel for each event."""
_SLIDE = 4
"""One multiply-add in a loop over time, at one delay."""
_SCATTER = 60
"""One addition at an indirect address."""


class Shape(NamedTuple):
    """The sizes of one call: batch, time, channels in, channels out, taps."""

    B: int
    T: int
    C: int
    H: int
    L: int


def shifted(s: Shape) -> float:
    """Cost of one matrix product per lag."""
    return s.L * (s.B * s.T * (s.C * s.H + _MOVE * (s.C + 2 * s.H)) + _CALL)


def spectral(s: Shape, window: Window) -> float:
    """Cost of the transforms and one matrix product per point."""
    rows, size, points = s.B * window.pieces, window.steps + s.L - 1, rank(window.steps, s.L)
    transforms = rows * (size * s.C + window.steps * s.H) + s.L * s.C * s.H
    spectra = rows * (s.C + s.H) + s.C * s.H
    # Windows are cut and joined, forward and backward, in strides.
    copies = 6 * rows * (size * s.C + window.steps * s.H) if window.pieces > 1 else 0
    return points * (transforms + rows * s.C * s.H + _MOVE * spectra) + _MOVE * copies + 8 * _CALL


@lru_cache
def dense(s: Shape) -> tuple[str, float, Window]:
    """The cheaper of "shifted" and "spectral", its cost, and the best windows."""
    window = best_window(s)
    costs = {"shifted": shifted(s), "spectral": spectral(s, window)}
    by = min(costs, key=lambda name: costs[name])
    return by, costs[by], window


def best_window(s: Shape) -> Window:
    """The cheapest way to cut T steps into equal windows."""
    counts = range(1, max(1, s.T // s.L) + 1)
    windows = [Window(count, -(-s.T // count)) for count in counts]
    return min(windows, key=lambda window: spectral(s, window))


def events(s: Shape, density: float) -> float:
    """Cost of adding L rows of the kernel for every non-zero input."""
    return density * s.B * s.T * s.C * s.L * s.H * _ROW + _MOVE * (s.B * s.T * (s.C + s.H) + s.L * s.C * s.H) + 4 * _CALL


def fold(batch: int, steps: int) -> int:
    """Number of batch rows per group in `sliding`: runs of about 128 numbers, inputs that fit the cache, groups for two threads."""
    return max(1, min(-(-128 // steps), 32, batch // 2))


def sliding(s: Shape) -> float:
    """Cost of integer delays where each synapse adds its shifted input over all steps of a group; each run has a start-up cost."""
    rows = fold(s.B, s.T)
    return s.B * s.C * s.H * (s.T + 8 / rows) * _SLIDE


def scattered(s: Shape, past: int, density: float) -> float:
    """Cost of integer delays where each non-zero input, past steps included, is added once per synapse."""
    return s.B * (past + s.T) * (density * s.C * s.H * _SCATTER + _MOVE * (s.C + s.H)) + _MOVE * s.C * s.H
