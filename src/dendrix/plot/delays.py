"""Figures of learned delays."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..checks import expect_in
from .arguments import numbers
from .style import LEARNED, REFERENCE, axis_or_new


def delay_map(delays: ArrayLike, *, axis: Any = None, title: str = "Delays") -> Any:
    """Draw the delay of every synapse as a colour.

    Args:
        delays: in ms, [outputs, inputs].
        axis: matplotlib axis; None makes a figure.
        title: title of the axis.
    """
    values = numbers(delays, "OI", "delays")
    axis = axis_or_new(axis, title, "input", "output")
    axis.grid(visible=False)
    image = axis.imshow(values, aspect="auto", origin="lower", interpolation="nearest", cmap="viridis")
    axis.figure.colorbar(image, ax=axis, label="delay, ms")
    return axis


def delay_histogram(
    delays: ArrayLike,
    dt_ms: float = 1.0,
    *,
    before: ArrayLike | None = None,
    axis: Any = None,
    title: str = "Delays",
    taps: int | None = None,
) -> Any:
    """Draw the share of synapses by delay, rounded to steps, beside that before the training.

    Args:
        delays: in ms, of any shape.
        dt_ms: length of a step, in ms.
        before: the same delays before the training, drawn in grey.
        axis, title: as in `delay_map`.
        taps: number of steps to draw; by default up to the longest delay.
    """
    expect_in(dt_ms, "(0, inf)", "dt_ms")
    after = _steps(delays, dt_ms, "delays")
    first = None if before is None else _steps(before, dt_ms, "before")
    count = taps or max(after.max(), 0 if first is None else first.max()) + 1
    axis = axis_or_new(axis, title, "delay, ms", "share of the delays, %")
    parts = (
        ((after, LEARNED, "after training"),)
        if first is None
        else ((first, REFERENCE, "before training"), (after, LEARNED, "after training"))
    )
    for values, colour, label in parts:
        share = np.bincount(values, minlength=count)[:count] * 100 / len(values)
        axis.step(np.arange(count) * dt_ms, share, where="mid", color=colour, label=label, linewidth=2)
    axis.set_ylim(bottom=0, auto=True)  # an axis that shares its limits may still grow
    return axis


def _steps(delays: ArrayLike, dt_ms: float, name: str) -> Any:
    given: Any = delays.detach().cpu().flatten() if hasattr(delays, "detach") else np.ravel(delays)
    values = np.rint(numbers(given, "N", name) / dt_ms).astype(int)
    return np.maximum(values, 0)
