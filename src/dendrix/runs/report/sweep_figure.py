"""Figure of a sweep: the validation result of every trial against each field of the space."""

from collections.abc import Sequence
from typing import Any

from ...plot import COLOURS, dress, new_figure


def draw_sweep(lines: Sequence[dict[str, Any]], names: Sequence[str]) -> Any:
    """Draw one panel for each field; return a matplotlib figure.

    Args:
        lines: trials, each with "value", "state" and its fields.
        names: names of the fields.
    """
    figure = new_figure(max(3.2 * len(names), 5.0), 3.4)
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for number, (axis, name) in enumerate(zip(axes, names, strict=True)):
        dress(axis, name, name, "validation" if number == 0 else "")
        for state, colour in (("complete", COLOURS[2]), ("pruned", COLOURS[0])):
            chosen = [line for line in lines if line["state"] == state and line["value"] is not None]
            values = [line[name] if isinstance(line[name], int | float) else str(line[name]) for line in chosen]
            if chosen:
                axis.scatter(values, [line["value"] for line in chosen], s=16, color=colour, label=state)
        numbers = [line[name] for line in lines if isinstance(line[name], float) and line[name] > 0]
        if numbers and max(numbers) / min(numbers) > 50:
            axis.set_xscale("log")
    if lines:
        axes[0].legend(frameon=False)
    return figure
