"""Recorded outputs and spikes of converted networks at every step, and their files."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.files import write_atomic
from ...data import ImageDataset, image_batches
from ...exits import ExitRecord, record_outputs
from ...models import Converted
from ...runs.viewing import EVIDENCE

_AT_ONCE = 8
"""Images per batch. All steps of a batch are convolved together; a larger batch does not fit the cache."""


@dataclass(frozen=True)
class Measured:
    """Record of a converted network on N images."""

    record: ExitRecord
    """Outputs at every step, [N, T, K], and labels."""
    spikes: Tensor | None
    """Number of spikes of all neurons at every step, negative ones included, int64 [N, T]; None for another library's network."""

    def first(self, steps: int) -> "Measured":
        """The record of the first steps."""
        spikes = None if self.spikes is None else self.spikes[:, :steps]
        return Measured(replace(self.record, outputs=self.record.outputs[:, :steps]), spikes)

    def accuracy(self) -> list[float]:
        """Accuracy after 1, 2, ... T steps."""
        shares: list[float] = self.record.right().double().mean(0).tolist()
        return shares

    def save(self, path: Path) -> None:
        """Write an `.npz`, which `ExitRecord.load` reads too."""
        spikes = {} if self.spikes is None else {"spikes": self.spikes.numpy()}
        record = self.record
        arrays: dict[str, Any] = {"outputs": record.outputs.numpy(), "labels": record.truth.numpy(), **spikes}
        content = io.BytesIO()
        np.savez_compressed(content, accumulation=record.accumulation, model=record.model, **arrays)
        write_atomic(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Measured":
        """Read a file of `save`."""
        with np.load(path) as content:
            spikes = torch.from_numpy(content["spikes"]) if "spikes" in content else None
        return cls(ExitRecord.load(path), spikes)


def measure(model: Converted, data: ImageDataset, steps: int) -> Measured:
    """Record a converted network on every image for a number of steps."""
    with _counted(model) as counts:
        recorded = record_outputs(model, ((model.encode(x, steps), y) for x, _, y in image_batches(data, _AT_ONCE)), accumulation=EVIDENCE)
    return Measured(recorded, torch.cat(counts)[-len(data) :])  # `record_outputs` runs the first batch twice, to compare


def measure_other(run: Callable[[Tensor, int], Tensor], data: ImageDataset, steps: int) -> Measured:
    """Record a network of another library: a function of images and steps that returns outputs [B, T, K]."""
    outputs = torch.cat([run(x, steps) for x, _, _ in image_batches(data, _AT_ONCE)])
    return Measured(ExitRecord(outputs, data.y, accumulation=EVIDENCE), None)


@contextmanager
def _counted(model: Converted) -> Iterator[list[Tensor]]:
    """Yield a list to which every batch appends its number of spikes, int64 [B, T]."""
    found: list[Tensor] = []
    layers = [model.network.body.get_submodule(path) for path in model.network.layers]

    def count(layer: nn.Module, _: Any, given: tuple[Tensor, Any]) -> None:
        spikes = given[0].flatten(2).count_nonzero(-1)
        if layer is layers[0]:
            found.append(spikes)
        else:
            found[-1] += spikes

    handles = [layer.register_forward_hook(count) for layer in layers]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
