"""Comparison of a spiking network with its original: errors and firing rates of every layer, and the accuracy after every step."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..core import accumulate, expect
from ..errors import InputError
from ..neurons import IF, SignedIF
from .network import SpikingNetwork


@dataclass(frozen=True)
class LayerError:
    """One layer of neurons, compared with the activation that it replaces."""

    path: str
    error: float
    """Norm of (mean output over time - activation), relative to that of the activation."""
    firing_rate: float
    """Spikes per neuron and step, negative ones included."""


@dataclass(frozen=True)
class Comparison:
    """A network and its spiking form on the same images."""

    layers: tuple[LayerError, ...]
    """Layers that replace a single call of a module of the original."""
    agreement: tuple[float, ...]
    """Share of images with the same answer of both, after 1, 2, ... steps."""
    ann_accuracy: float | None
    accuracy: tuple[float, ...] | None
    """Share of correct answers after 1, 2, ... steps; None without labels."""

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON."""
        return asdict(self)


@torch.no_grad()
def compare(
    ann: nn.Module, network: SpikingNetwork, images: Tensor, steps: int, labels: Tensor | None = None, batch_size: int = 64
) -> Comparison:
    """Run both networks once over the images, the spiking one for `steps` steps.

    Args:
        ann: the original network, in evaluation mode.
        network: its spiking form, from `convert`.
        images: [N, C, H, W]; not of a test set if anything is chosen by the result.
        steps: T.
        labels: classes, int64 [N].
        batch_size: number of images that run at once.
    """
    expect(images, "N C ...", "images")
    if labels is not None:
        expect(labels, "N", "labels", N=len(images))
    if ann.training:
        raise InputError("ann: expected a network in evaluation mode, got one in training mode. Call ann.eval() first.")
    modules = dict(ann.named_modules())
    meters = {path: _Meter() for path in network.layers if path in modules}
    handles = []
    for path, meter in meters.items():
        neurons = network.body.get_submodule(path)
        if isinstance(neurons, IF | SignedIF):
            handles.append(modules[path].register_forward_hook(meter.see_activation))
            handles.append(neurons.register_forward_hook(meter.see_spikes))
    right_ann, right, same = 0, torch.zeros(steps), torch.zeros(steps)
    try:
        for low in range(0, len(images), batch_size):
            x = images[low : low + batch_size]
            expected = ann(x).argmax(-1)
            outputs, _ = network(network.encode(x, steps))
            answers = accumulate(outputs).argmax(-1)
            same += (answers == expected.unsqueeze(1)).sum(0)
            if labels is not None:
                y = labels[low : low + batch_size]
                right_ann += int((expected == y).sum())
                right += (answers == y.unsqueeze(1)).sum(0)
    finally:
        for handle in handles:
            handle.remove()
    count = len(images)
    return Comparison(
        layers=tuple(meter.result(path) for path, meter in meters.items() if meter.count),
        agreement=tuple((same / count).tolist()),
        ann_accuracy=None if labels is None else right_ann / count,
        accuracy=None if labels is None else tuple((right / count).tolist()),
    )


class _Meter:
    """Sums for one layer of both networks; the original runs first."""

    def __init__(self) -> None:
        self.activation = torch.empty(0)
        self.wrong = self.whole = self.spikes = 0.0
        self.count = 0

    def see_activation(self, _: nn.Module, __: Any, activation: Tensor) -> None:
        self.activation = activation

    def see_spikes(self, _: nn.Module, __: Any, given: tuple[Tensor, Any]) -> None:
        y = given[0]
        self.wrong += (y.mean(1) - self.activation).square().sum().item()
        self.whole += self.activation.square().sum().item()
        self.spikes += y.count_nonzero().item()
        self.count += y.numel()

    def result(self, path: str) -> LayerError:
        error = (self.wrong / self.whole) ** 0.5 if self.whole else float(self.wrong > 0)
        return LayerError(path, error, self.spikes / self.count)
