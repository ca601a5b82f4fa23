"""Figures of energy estimates."""

from collections.abc import Mapping
from typing import Any

from .arguments import numbers
from .style import LEARNED, axis_or_new


def energy_bars(estimates: Mapping[str, float], unit: str = "input", *, axis: Any = None, title: str = "Energy, estimated") -> Any:
    """Draw estimates of energy as bars, with their values.

    Args:
        estimates: energy in pJ by the name of the estimate.
        unit: what one estimate is for, such as "token".
        axis: matplotlib axis; None makes a figure.
        title: title of the axis.
    """
    values = numbers(list(estimates.values()), "N", "estimates") / 1e3
    axis = axis_or_new(axis, title, f"nJ per {unit}", "")
    bars = axis.barh(range(len(values)), values, color=LEARNED)
    axis.bar_label(bars, [f"{value:,.1f}" for value in values], padding=4)
    axis.set_yticks(range(len(values)), list(estimates))
    axis.invert_yaxis()
    axis.margins(x=0.15)
    return axis
