"""Figures of activity: rasters of spikes, membrane traces, firing rates."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..checks import expect_in
from .arguments import numbers
from .style import COLOURS, FIXED, LEARNED, REFERENCE, axis_or_new


def raster(spikes: ArrayLike, dt_ms: float = 1.0, *, axis: Any = None, title: str = "Spikes") -> Any:
    """Draw a mark for every spike; negative spikes are orange.

    Args:
        spikes: one input, [T, N]; every nonzero value is a spike.
        dt_ms: length of a step, in ms.
        axis: matplotlib axis; None makes a figure.
        title: title of the axis.
    """
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    values = numbers(spikes, "TN", "spikes")
    axis = axis_or_new(axis, title, "time, ms", "neuron")
    for sign, colour in ((1, LEARNED), (-1, FIXED)):
        step, neuron = (sign * values > 0).nonzero()
        axis.scatter((step + 0.5) * dt_ms, neuron, s=4, marker="s", linewidths=0, color=colour)
    axis.set_ylim(-1, values.shape[1])
    axis.set_xlim(0, len(values) * dt_ms)
    return axis


def traces(
    membrane: ArrayLike,
    dt_ms: float = 1.0,
    *,
    threshold: float | None = None,
    spikes: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    axis: Any = None,
    title: str = "Membrane potential",
) -> Any:
    """Draw values over time, one line per neuron, with the threshold and the times of spikes.

    Args:
        membrane: [T] or [T, N], in units of the threshold or any other.
        dt_ms: length of a step, in ms.
        threshold: level of a dashed line.
        spikes: spikes of the same neurons, of the same shape, marked at the top.
        names: names of the N neurons.
        axis, title: as in `raster`.
    """
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    values = numbers(membrane, "T" if np.ndim(_plain(membrane)) == 1 else "TN", "membrane").reshape(len(_plain(membrane)), -1)
    axis = axis_or_new(axis, title, "time, ms", "membrane potential")
    time = (np.arange(len(values)) + 1) * dt_ms
    for number, (colour, line) in enumerate(zip(cycle(COLOURS[2:]), values.T, strict=False)):
        axis.plot(time, line, color=colour, linewidth=1.5, label=names[number] if names else None)
    if threshold is not None:
        axis.axhline(threshold, color=REFERENCE, linestyle="--", label="threshold")
    if spikes is not None:
        fired = numbers(spikes, "T" if np.ndim(_plain(spikes)) == 1 else "TN", "spikes").reshape(len(values), -1)
        top = max(values.max(), threshold or values.max())
        for colour, column in zip(cycle(COLOURS[2:]), fired.T, strict=False):
            axis.plot(time[column != 0], np.full((column != 0).sum(), 1.1 * top), "|", color=colour, markersize=8)
    if names or threshold is not None:
        axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return axis


def _plain(values: Any) -> Any:
    return values.detach().cpu() if hasattr(values, "detach") else values


def firing_rates(rates: Mapping[str, float], *, axis: Any = None, title: str = "Firing rates") -> Any:
    """Draw the firing rate of each layer as a bar.

    Args:
        rates: spikes per neuron and step, 0 to 1, by the name of the layer.
        axis, title: as in `raster`.
    """
    values = 100 * numbers(list(rates.values()), "N", "rates")
    axis = axis_or_new(axis, title, "spikes per neuron and step, %", "")
    axis.barh(range(len(values)), values, color=LEARNED)
    axis.set_yticks(range(len(values)), list(rates))
    axis.invert_yaxis()
    return axis
