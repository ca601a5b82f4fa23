"""Figures of a conversion: accuracy by number of steps, and error and firing rate of each layer."""

from collections.abc import Sequence
from typing import Any

from ...plot import COLOURS, dress, new_axis, new_figure


def draw_accuracy(accuracy: Sequence[float], original: float) -> Any:
    """Draw the accuracy after 1, 2, ... T steps beside that of the original network.

    Args:
        accuracy: accuracy after each step, 0 to 1.
        original: accuracy of the original network, 0 to 1.
    """
    figure, axis = new_axis("Accuracy by number of steps", "steps", "accuracy, %")
    steps = range(1, len(accuracy) + 1)
    axis.axhline(100 * original, color=COLOURS[0], linestyle="--", linewidth=2, label="original network")
    axis.plot(steps, [100 * share for share in accuracy], "o-", color=COLOURS[2], linewidth=2, markersize=4, label="spiking network")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(frameon=False, loc="lower right")
    return figure


def draw_layers(layers: Sequence[dict[str, Any]]) -> Any:
    """Draw the error and the firing rate of every layer, in the order of execution.

    Args:
        layers: entries with `path`, `error` and `firing_rate`, from `compare`.
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
