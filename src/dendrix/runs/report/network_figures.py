"""Figures of one network: its delays, and its activity for one input. Each function returns a matplotlib figure."""

from typing import Any

import torch
from torch import Tensor, nn

from ...data import collate
from ...layers import Recurrent, RecurrentDelay
from ...layers.delay.base import delay_layers
from ...neurons import LI, Neuron
from ...plot import REFERENCE, delay_histogram, dress, evidence, new_figure, raster
from ...run_folder.checkpoint import Checkpoint


def draw_delays(model: nn.Module, before: nn.Module | None = None) -> Any:
    """Draw a histogram of the integer delays of every layer.

    Args:
        model: network with delay layers.
        before: the same network before the training.
    """
    layers = [layer for layer in delay_layers(model) if layer.taps > 1]
    first = [None] * len(layers) if before is None else [layer for layer in delay_layers(before) if layer.taps > 1]
    figure = new_figure(max(3.6 * len(layers), 5.0), 3.6)
    axes = figure.subplots(1, len(layers), sharey=True, squeeze=False)[0]
    for number, (axis, layer, start) in enumerate(zip(axes, layers, first, strict=True), 1):
        name = "Delays of the read-out" if number == len(layers) > 1 else f"Delays of hidden layer {number}"
        earlier = None if start is None else start.integer_delay() * start.dt_ms
        delay_histogram(layer.integer_delay() * layer.dt_ms, layer.dt_ms, before=earlier, axis=axis, title=name, taps=layer.taps)
        axis.set_ylabel("share of the delays, %" if number == 1 else "")
    axes[0].set_ylim(bottom=0)  # at the end, because the axes share their limits
    if before is not None:
        figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=2)
    return figure


def draw_activity(checkpoint: Checkpoint, x: Tensor, title: str, dt_ms: float, exit_step: int | None = None) -> Any:
    """Draw one input, the spikes of every hidden layer, and the decision over time.

    Args:
        checkpoint: network in evaluation mode, with its decision.
        x: one input, [T, C], without the tail.
        title: title of the input's panel.
        dt_ms: length of a step, in ms.
        exit_step: number of steps after which an exit rule stopped; None draws no exit.
    """
    heard = collate([(x, torch.tensor(0))], checkpoint.decision.tail_steps(dt_ms)).x
    hidden, share = _activity(checkpoint, heard)
    figure = new_figure(8.4, 2.0 * (2 + len(hidden)))
    axes = figure.subplots(2 + len(hidden), 1, sharex=True)
    end = len(x) * dt_ms
    dress(axes[0], title, "", "channel").grid(visible=False)
    look = {"cmap": "Greys" if x.min() >= 0 else "magma", "extent": (0, end, -0.5, x.shape[1] - 0.5)}
    axes[0].imshow(x.t().numpy(), origin="lower", aspect="auto", interpolation="nearest", **look)
    for number, (axis, spikes) in enumerate(zip(axes[1:], hidden, strict=False), 1):
        raster(spikes, dt_ms, axis=axis, title=f"Spikes of hidden layer {number}: {spikes.mean():.1%} of neurons and steps")
        axis.set_xlabel("")
    evidence(share, checkpoint.labels, dt_ms, exit_step=exit_step, axis=axes[-1])
    axes[0].set_xlim(0, heard.shape[1] * dt_ms)
    if heard.shape[1] > len(x):
        for axis in axes:
            axis.axvline(end, color=REFERENCE, linestyle=":")
        place = axes[0].get_xaxis_transform()
        axes[0].text(end, 1.02, "end of the input", transform=place, ha="right", fontsize=9, color=REFERENCE)
    return figure


@torch.no_grad()
def _activity(checkpoint: Checkpoint, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return the spikes of each hidden layer, float [T, H], and the confidence in each class, [T, K], for an input [1, T, C]."""
    heard: list[Tensor] = []
    kinds = (Neuron, Recurrent, RecurrentDelay)
    layers = [part for part in checkpoint.model.modules() if isinstance(part, kinds) and not isinstance(part, LI)]
    hooks = [part.register_forward_hook(lambda _part, _inputs, result: heard.append(result[0][0])) for part in layers]
    try:
        evidence = checkpoint.decision.evidence(checkpoint.model, x)
    finally:
        for hook in hooks:
            hook.remove()
    return [(outputs != 0).float() for outputs in heard], checkpoint.decision.confidence(evidence)[0]
