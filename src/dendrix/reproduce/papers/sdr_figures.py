"""Figures of Ahmad & Hawkins (arXiv 1601.00720v2), as published and corrected: exact values as lines, simulations as dots."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...plot import COLOURS, new_axis, save_figure
from ...sdr import false_negative, false_positive, union_false_positive, union_size, verify
from .sdr_claims import median_error
from .sdr_published import FIGURE_4A, FIGURE_4B_NOISE, FIGURE_4B_SIMULATED

_BLUE, _ORANGE, _GREEN, _GREY = COLOURS[2], COLOURS[1], COLOURS[3], COLOURS[0]
_DRAWS = 200_000


def draw_all(folder: Path) -> dict[str, Path]:
    """Draw every figure into a folder, and return their paths by number."""
    drawn = {}
    for name, draw in FIGURES.items():
        figure, axis = new_axis(*_TITLES[name])
        draw(axis)
        axis.legend(frameon=False, fontsize=8)
        drawn[name] = folder / f"sdr-figure-{name.lower()}.png"
        save_figure(figure, drawn[name])
    return drawn


def _figure_4a(axis: Any) -> None:
    """False positives against n for three numbers of active cells: exact, as simulated in the paper, and simulated here."""
    n = np.arange(300, 4100, 50)
    for colour, (a, published) in zip((_BLUE, _ORANGE, _GREEN), FIGURE_4A.items(), strict=True):
        axis.plot(n, false_positive(n, a, 24, 12), color=colour, label=f"a = {a}, exact")
        axis.scatter(list(published), list(published.values()), color=colour, s=14, marker="o")
        common = [size for size in published if false_positive(size, a, 24, 12) > 100 / _DRAWS]
        axis.scatter(common, [verify(size, a, 24, 12, draws=_DRAWS, seed=size).estimate for size in common], color=colour, s=40, marker="x")
    axis.scatter([], [], color=_GREY, s=14, marker="o", label="the paper's simulation")
    axis.scatter([], [], color=_GREY, s=40, marker="x", label="ours")
    axis.set_yscale("log")
    axis.set_ylim(1e-14, 2)


def _figure_4b(axis: Any) -> None:
    """False negatives against noise for three thresholds, exact and simulated."""
    noise = np.arange(1, 104)
    for colour, theta in zip((_BLUE, _ORANGE, _GREEN), (8, 12, 16), strict=True):
        axis.plot(noise / 128, false_negative(128, 30, noise, theta), color=colour, label=f"theta = {theta}, exact")
    shares = np.array(FIGURE_4B_NOISE) / 128
    axis.scatter(shares, FIGURE_4B_SIMULATED, color=_ORANGE, s=14, marker="o", label="the paper's simulation")
    ours = [verify(6000, 128, 30, 12, v=v, draws=_DRAWS, seed=v).estimate for v in FIGURE_4B_NOISE]
    axis.scatter(shares, ours, color=_ORANGE, s=40, marker="x", label="ours")


def _figure_5a(axis: Any) -> None:
    """False positives against n: for fixed a they fall as a power of n; for a fixed share of n they do not fall."""
    n = np.arange(300, 20_000, 100)
    for colour, a in zip((_BLUE, _ORANGE, _GREEN), (64, 128, 256), strict=True):
        axis.plot(n, false_positive(n, a, 24, 12), color=colour, label=f"a = {a}")
    axis.plot(n, false_positive(n, n // 4, 24, 12), color=_GREY, linestyle="--", label="a = n/4: drawn in the paper, caption n/2")
    axis.plot(n, false_positive(n, n // 2, 24, 12), color=_GREY, linestyle=":", label="a = n/2, as in the caption")
    axis.set_yscale("log")
    axis.set_xscale("log")


def _figure_5b(axis: Any) -> None:
    """False positives against the number of synapses; the threshold is half of them."""
    s = np.arange(2, 32, 2)
    for colour, (a, n) in zip((_BLUE, _ORANGE, _GREEN, _GREY), ((32, 2000), (32, 4000), (512, 16_000), (4000, 16_000)), strict=True):
        axis.plot(s, false_positive(n, a, s, s // 2), color=colour, marker=".", label=f"a = {a}, n = {n}")
    axis.set_yscale("log")


def _figure_6(axis: Any) -> None:
    """The median error over 420 settings against the threshold."""
    theta = range(3, 25)
    axis.plot(theta, [median_error(value) for value in theta], color=_BLUE, marker=".", label="median of 420 settings, exact")
    axis.axhline(1e-9, color=_GREY, linestyle="--", label="one in a billion")
    axis.axvline(9, color=_ORANGE, linestyle=":", label="as published, 9: the median is 2.04e-9")
    axis.axvline(10, color=_GREEN, linestyle=":", label="corrected: 10")
    axis.set_yscale("log")


def _figure_7a(axis: Any) -> None:
    """The expected size of a union."""
    m = np.arange(1, 20)
    axis.xaxis.get_major_locator().set_params(integer=True)
    for colour, s in zip((_BLUE, _ORANGE, _GREEN), (20, 25, 30), strict=True):
        axis.plot(m, [union_size(1000, s, int(count)) for count in m], color=colour, marker=".", label=f"s = {s}")


def _figure_7b(axis: Any) -> None:
    """False positives of a union: exact, and as published with its expected size inserted."""
    m = range(1, 20)
    axis.xaxis.get_major_locator().set_params(integer=True)
    for colour, n in zip((_BLUE, _ORANGE, _GREEN), (1000, 10_000, 20_000), strict=True):
        exact = [union_false_positive(n, 200, 25, 15, count) for count in m]
        plugged = [union_false_positive(n, 200, 25, 15, count, mode="plugin_round") for count in m]
        axis.plot(m, exact, color=colour, label=f"n = {n}, exact")
        axis.scatter(m, plugged, color=colour, s=14, marker="o")
    axis.scatter([], [], color=_GREY, s=14, marker="o", label="as published: expected size")
    axis.set_yscale("log")


FIGURES: dict[str, Callable[[Any], None]] = {
    "4A": _figure_4a,
    "4B": _figure_4b,
    "5A": _figure_5a,
    "5B": _figure_5b,
    "6": _figure_6,
    "7A": _figure_7a,
    "7B": _figure_7b,
}
_TITLES = {
    "4A": ("False positives against n (s 24, theta 12)", "n", "probability"),
    "4B": ("False negatives under noise (n 6000, a 128, s 30)", "share of bits moved", "probability"),
    "5A": ("More cells reduce errors only for fixed a (s 24, theta 12)", "n", "false positive probability"),
    "5B": ("More synapses reduce errors while activity is sparse (theta = s/2)", "s", "false positive probability"),
    "6": ("Sufficient threshold", "theta", "false positive probability"),
    "7A": ("Size of a union (n 1000)", "patterns", "expected bits"),
    "7B": ("False positives of a union (a 200, s 25, theta 15)", "patterns", "probability"),
}
