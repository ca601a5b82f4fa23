"""Figures of energy estimates."""

from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from .arguments import numbers
from .style import COLOURS, LEARNED, QUIET, axis_or_new


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


def energy_terms(
    estimates: Mapping[str, Mapping[str, float]], unit: str = "input", *, axis: Any = None, title: str = "Energy by term"
) -> Any:
    """Draw estimates of energy as stacked bars, one part for each term, with their sums.

    Args:
        estimates: energy in pJ by term, by the name of the estimate. A term has the same colour in all bars.
        unit: what one estimate is for, such as "token".
        axis: matplotlib axis; None makes a figure.
        title: title of the axis.
    Raises:
        InputError: there are no estimates, or more terms than colours.
    """
    terms = list(dict.fromkeys(term for parts in estimates.values() for term in parts))
    colours = (*COLOURS[1:], COLOURS[0], QUIET, "#80cdc1", "#f4a582")
    if not terms or len(terms) > len(colours):
        raise InputError(f"estimates: expected 1 to {len(colours)} terms, got {len(terms)}. Put small ones together.")
    axis = axis_or_new(axis, title, f"nJ per {unit}", "")
    ends = [0.0] * len(estimates)
    for term, colour in zip(terms, colours, strict=False):
        values = numbers([parts.get(term, 0.0) / 1e3 for parts in estimates.values()], "N", "estimates")
        axis.barh(range(len(values)), values, left=ends, color=colour, label=term)
        ends = [end + float(value) for end, value in zip(ends, values, strict=True)]
    for place, end in enumerate(ends):
        axis.annotate(f"{end:,.3g}" if end < 1000 else f"{end:,.0f}", (end, place), (4, 0), textcoords="offset points", va="center")
    axis.set_yticks(range(len(ends)), list(estimates))
    axis.invert_yaxis()
    axis.margins(x=0.15)
    axis.figure.legend(*axis.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=min(len(terms), 5))
    return axis
