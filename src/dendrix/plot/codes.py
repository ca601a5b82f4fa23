"""Figures of sparse codes."""

from typing import Any

from numpy.typing import ArrayLike

from .arguments import numbers
from .style import FIXED, LEARNED, REFERENCE, axis_or_new

_FLOOR = 1e-30
"""Smallest rate that is drawn."""


def sdr_curves(
    theta: ArrayLike,
    false_positive: ArrayLike,
    false_negative: ArrayLike,
    *,
    window: tuple[int, int] | None = None,
    axis: Any = None,
    title: str = "Errors of a dendritic segment by its threshold",
) -> Any:
    """Draw both error rates of a segment against its threshold, on a logarithmic scale.

    Args:
        theta: thresholds, [N].
        false_positive: probability that an unrelated pattern fires the segment, [N].
        false_negative: probability that the segment misses its own pattern, [N].
        window: smallest and largest threshold that keep both rates, drawn as a band.
        axis: matplotlib axis; None makes a figure.
        title: title of the axis.
    """
    places = numbers(theta, "N", "theta")
    axis = axis_or_new(axis, title, "threshold, synapses active together", "probability")
    for rates, name, colour, label in (
        (false_positive, "false_positive", LEARNED, "false matches"),
        (false_negative, "false_negative", FIXED, "misses"),
    ):
        values = numbers(rates, "N", name)
        axis.plot(places, values.clip(_FLOOR), ".-", color=colour, label=label, linewidth=2)
    if window is not None:
        axis.axvspan(window[0] - 0.5, window[1] + 0.5, color=REFERENCE, alpha=0.2, label=f"both rare: {window[0]} to {window[1]}")
    axis.set_yscale("log")
    axis.set_ylim(_FLOOR, 2)
    axis.legend(frameon=False)
    return axis
