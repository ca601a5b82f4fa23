"""Figures of a training and of the accuracy of its network. Each function returns a matplotlib figure."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import torch

from ...plot import COLOURS, dress, new_axis, new_figure

_NUMBERED = 20
"""Largest number of classes for which a confusion matrix shows counts."""


def draw_learning_curves(curves: Mapping[str, Sequence[float]]) -> Any:
    """Draw validation accuracy by epoch, one line per run.

    Args:
        curves: accuracies, 0 to 1, by the name of the run.
    """
    figure, axis = new_axis("Validation accuracy while training", "epoch", "accuracy, %")
    for colour, (name, values) in zip(cycle(COLOURS), curves.items(), strict=False):
        axis.plot(range(1, len(values) + 1), [100 * value for value in values], color=colour, label=name, linewidth=2)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(frameon=False)
    return figure


def draw_training(lines: Sequence[dict[str, Any]], best: int | None = None) -> Any:
    """Draw training and validation loss and accuracy by epoch.

    Args:
        lines: metrics of each epoch or task; missing metrics are left out.
        best: index of the epoch or task whose network was kept.
    """
    figure = new_figure(9.6, 3.6)
    unit = "epoch" if "epoch" in lines[0] else "task"
    shown = (
        ("Loss", "cross-entropy, nats", 1, {"training": "loss", "validation": "valid_loss"}),
        ("Accuracy", "accuracy, %", 100, {"training": "train_accuracy", "validation": "valid_accuracy"}),
    )
    for axis, (title, label, scale, keys) in zip(figure.subplots(1, 2), shown, strict=True):
        dress(axis, title, unit, label)
        for colour, (name, key) in zip(COLOURS[1:], keys.items(), strict=False):
            values = [scale * line.get(key, float("nan")) for line in lines]
            axis.plot(range(1, len(lines) + 1), values, ".-" if len(lines) < 5 else "-", color=colour, label=name, linewidth=2)
        if best is not None:
            axis.axvline(best + 1, color=COLOURS[0], linestyle=":", label=f"kept: {unit} {best + 1}")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(frameon=False)
    return figure


def draw_confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Any:
    """Draw a confusion matrix, in shares of the true class; for few classes the cells show counts.

    Args:
        labels: names of the K classes.
        counts: number of inputs of class i (row) that were decided as class j (column), [K][K].
    """
    few = len(labels) <= _NUMBERED
    size = min(3.4 + 0.18 * len(labels), 10.0)
    figure = new_figure(size + 0.8, size)
    axis = dress(figure.add_subplot(), "Confusion matrix", "decision", "true class")
    axis.grid(visible=False)
    table = torch.tensor(counts, dtype=torch.double)
    share = 100 * table / table.sum(1, keepdim=True).clamp(min=1)
    image = axis.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axis, label="share of the true class, %", shrink=0.8)
    places = range(len(labels)) if len(labels) <= 2 * _NUMBERED else range(0, len(labels), -(-len(labels) // (2 * _NUMBERED)))
    names = [labels[place] for place in places]
    small = 9 if few else 7
    axis.set_xticks(places, names, rotation=0 if max(map(len, names)) < 3 else 90, fontsize=small)
    axis.set_yticks(places, names, fontsize=small)
    for (row, column), count in {(r, c): n for r, line in enumerate(counts) for c, n in enumerate(line) if n and few}.items():
        axis.text(column, row, str(count), ha="center", va="center", fontsize=8, color="white" if share[row, column] > 50 else "black")
    return figure


def draw_health(lines: Sequence[dict[str, Any]], names: Sequence[str] | None = None) -> Any:
    """Draw firing rates and the share of silent neurons of each layer, by epoch.

    Args:
        lines: metrics of each epoch, with "health".
        names: names of the layers with neurons, in order; None numbers them.
    """
    figure = new_figure(9.6, 3.6)
    layers = [name for name, shares in lines[-1]["health"].items() if "rate" in shares]
    shown = (("Firing rate in validation", "spikes per neuron and step, %", "rate"), ("Neurons that never fire", "of the layer, %", "dead"))
    for axis, (title, label, key) in zip(figure.subplots(1, 2), shown, strict=True):
        dress(axis, title, "epoch", label)
        for number, (colour, layer) in enumerate(zip(cycle(COLOURS[1:]), layers, strict=False)):
            values = [100 * line["health"][layer][key] for line in lines]
            axis.plot(
                range(1, len(lines) + 1), values, color=colour, label=names[number] if names else f"hidden layer {number + 1}", linewidth=2
            )
        top = max(5.0, axis.get_ylim()[1])
        axis.set_ylim(-top / 50, top)  # keeps a line at zero visible, and small shares small
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(frameon=False)
    return figure
