"""Figures of a conversion: its accuracy step by step, and what every layer costs."""

from collections.abc import Sequence
from typing import Any

from ...plot import COLOURS, dress, new_axis, new_figure


def draw_accuracy(accuracy: Sequence[float], original: float) -> Any:
    """The accuracy after 1, 2, ... T steps beside that of the network that was converted.

    Args:
        accuracy: shares of right answers, one per step.
        original: share of right answers of the original network.
    """
    figure, axis = new_axis("What is the answer worth after each step?", "steps", "accuracy, %")
    steps = range(1, len(accuracy) + 1)
    axis.axhline(100 * original, color=COLOURS[0], linestyle="--", linewidth=2, label="original network")
    axis.plot(steps, [100 * share for share in accuracy], "o-", color=COLOURS[2], linewidth=2, markersize=4, label="spiking network")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(frameon=False, loc="lower right")
    return figure


def draw_layers(layers: Sequence[dict[str, Any]]) -> Any:
    """The error of every layer and how often its neurons fire, in the order in which they run.

    Args:
        layers: each with `path`, `error` and `firing_rate`, as `compare` gives them.
    """
    figure = new_figure(9.6, max(2.4, 0.9 + 0.3 * len(layers)))
    names = [layer["path"] for layer in layers]
    shown = (
        ("Error against the activation", "error, % of the activation", "error"),
        ("Firing rate", "spikes per neuron and step, %", "firing_rate"),
    )
    axes = figure.subplots(1, 2, sharey=True)
    for axis, colour, (title, label, key) in zip(axes, COLOURS[1:], shown, strict=False):
        dress(axis, title, label, "")
        axis.barh(names, [100 * layer[key] for layer in layers], color=colour)
        axis.grid(axis="y", visible=False)
    axes[0].invert_yaxis()  # the first layer on top
    return figure
