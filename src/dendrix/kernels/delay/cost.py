"""What each way of computing a delay layer costs: a deterministic function of shapes and density, so a resumed run chooses the same.

The unit is one multiply-add inside a large matrix product. The other prices are ratios of what a processor does, not times:
they hold as long as memory, vector units and caches stand in about this proportion.
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
"""One addition at an address that was looked up."""


class Shape(NamedTuple):
    """The sizes of one call: batch, time, channels in, channels out, taps."""

    B: int
    T: int
    C: int
    H: int
    L: int


def shifted(s: Shape) -> float:
    """One matrix product per lag."""
    return s.L * (s.B * s.T * (s.C * s.H + _MOVE * (s.C + 2 * s.H)) + _CALL)


def spectral(s: Shape, window: Window) -> float:
    """One matrix product per point, and the transforms."""
    rows, size, points = s.B * window.pieces, window.steps + s.L - 1, rank(window.steps, s.L)
    transforms = rows * (size * s.C + window.steps * s.H) + s.L * s.C * s.H
    spectra = rows * (s.C + s.H) + s.C * s.H
    # Windows are cut and joined, forward and backward, in strides.
    copies = 6 * rows * (size * s.C + window.steps * s.H) if window.pieces > 1 else 0
    return points * (transforms + rows * s.C * s.H + _MOVE * spectra) + _MOVE * copies + 8 * _CALL


@lru_cache
def dense(s: Shape) -> tuple[str, float, Window]:
    """The cheaper of "shifted" and "spectral", its price, and the best windows."""
    window = best_window(s)
    prices = {"shifted": shifted(s), "spectral": spectral(s, window)}
    by = min(prices, key=lambda name: prices[name])
    return by, prices[by], window


def best_window(s: Shape) -> Window:
    """The cheapest way to cut T steps into equal windows."""
    counts = range(1, max(1, s.T // s.L) + 1)
    windows = [Window(count, -(-s.T // count)) for count in counts]
    return min(windows, key=lambda window: spectral(s, window))


def events(s: Shape, density: float) -> float:
    """L rows of the kernel for every non-zero input."""
    return density * s.B * s.T * s.C * s.L * s.H * _ROW + _MOVE * (s.B * s.T * (s.C + s.H) + s.L * s.C * s.H) + 4 * _CALL


def fold(batch: int, steps: int) -> int:
    """How many batch rows slide together: runs of about 128 numbers, inputs that stay in the cache, and groups for two threads."""
    return max(1, min(-(-128 // steps), 32, batch // 2))


def sliding(s: Shape) -> float:
    """Integer delays: each synapse adds its shifted input, all steps of a group in a row; short runs pay for the start of each."""
    rows = fold(s.B, s.T)
    return s.B * s.C * s.H * (s.T + 8 / rows) * _SLIDE


def scattered(s: Shape, past: int, density: float) -> float:
    """Integer delays: each non-zero input is added once per synapse, those of the steps before the first output too."""
    return s.B * (past + s.T) * (density * s.C * s.H * _SCATTER + _MOVE * (s.C + s.H)) + _MOVE * s.C * s.H
