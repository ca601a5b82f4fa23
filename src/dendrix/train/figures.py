"""Figures of runs and networks, each one axis that says what it shows."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

import torch
from torch import Tensor

from ..core import Stateful
from ..layers import delay_layers
from ..neurons import Neuron
from ..plot import COLOURS, new_axis, save_figure


def save_learning_curves(path: Path, curves: Mapping[str, Sequence[float]]) -> None:
    """Validation accuracy by epoch, one line per run.

    Args:
        path: where to save; the suffix chooses the format.
        curves: accuracies, 0 to 1, by the name of the run.
    """
    figure, axis = new_axis("Validation accuracy while training", "epoch", "accuracy, %")
    for colour, (name, values) in zip(cycle(COLOURS), curves.items(), strict=False):
        axis.plot(range(1, len(values) + 1), [100 * value for value in values], color=colour, label=name, linewidth=2)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(frameon=False)
    save_figure(figure, path)


def save_accuracy_over_time(path: Path, curves: Mapping[str, Sequence[float]], dt_ms: float) -> None:
    """Accuracy of a decision after each step, one line per run.

    Args:
        path: where to save.
        curves: accuracies, 0 to 1, one per step, by the name of the run.
        dt_ms: the length of a step, in ms.
    """
    figure, axis = new_axis("How early is the decision right?", "time since the start, ms", "accuracy, %")
    for colour, (name, values) in zip(cycle(COLOURS), curves.items(), strict=False):
        axis.plot([dt_ms * (t + 1) for t in range(len(values))], [100 * value for value in values], color=colour, label=name, linewidth=2)
    axis.legend(frameon=False, loc="upper left")
    save_figure(figure, path)


def save_delays(path: Path, model: Stateful) -> None:
    """Histogram of the delays of every layer, as deployed: in whole steps.

    Args:
        path: where to save.
        model: a network with delay layers.
    """
    figure, axis = new_axis("Learned delays", "delay, ms", "delays of the layer, %")
    layers = [layer for layer in delay_layers(model) if layer.taps > 1]
    names = [*(f"hidden layer {number}" for number in range(1, len(layers))), "read-out"]
    for colour, name, layer in zip(cycle(COLOURS[1:]), names, layers, strict=False):
        share = layer.integer_delay().flatten().bincount(minlength=layer.taps).float() * 100 / layer.delay.numel()
        place = [step * layer.dt_ms for step in range(layer.taps)]
        axis.step(place, share.tolist(), where="mid", color=colour, label=name, linewidth=2)
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False)
    save_figure(figure, path)


def save_raster(path: Path, model: Stateful, x: Tensor, title: str, dt_ms: float) -> None:
    """The input and the spikes of every hidden neuron over time, for one sequence.

    Args:
        path: where to save.
        model: a network in evaluation mode.
        x: one input, [T, C].
        title: what it is.
        dt_ms: the length of a step, in ms.
    """
    layers = {"input": x, **_hidden(model, x)}
    figure, axis = new_axis(title, "time, ms", "neuron")
    first = 0
    for colour, (name, spikes) in zip(cycle(COLOURS), layers.items(), strict=False):
        step, neuron = spikes.nonzero(as_tuple=True)
        axis.scatter((step * dt_ms).tolist(), (neuron + first).tolist(), s=6, marker="|", color=colour, label=name)
        first += spikes.shape[1]
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), markerscale=3)
    save_figure(figure, path)


@torch.no_grad()
def _hidden(model: Stateful, x: Tensor) -> dict[str, Tensor]:
    """The outputs of all neuron layers but the last, the read-out: name -> [T, H]."""
    heard: list[Tensor] = []
    neurons = [module for module in model.modules() if isinstance(module, Neuron)][:-1]
    hooks = [module.register_forward_hook(lambda _module, _inputs, result: heard.append(result[0][0])) for module in neurons]
    try:
        model(x.unsqueeze(0))
    finally:
        for hook in hooks:
            hook.remove()
    return {f"hidden layer {index + 1}": spikes for index, spikes in enumerate(heard)}
