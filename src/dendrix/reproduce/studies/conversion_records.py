"""What converted networks answer, and how often they spike, step by step: measured once, kept in files, and all else derived from them."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ...core.files import write_atomic
from ...exits import ExitRecord
from ...runs.viewing import EVIDENCE

if TYPE_CHECKING:
    from ...data import ImageDataset
    from ...models import Converted

_AT_ONCE = 8
"""Images. Their steps lie side by side, and many rows of a convolution leave the cache."""


@dataclass(frozen=True)
class Measured:
    """A converted network on N images."""

    record: ExitRecord
    """Outputs of every step, [N, T, K], and the labels."""
    spikes: Tensor | None
    """Spikes of all neurons at every step, negative ones too, int64 [N, T]; None of a network of others."""

    def first(self, steps: int) -> "Measured":
        """The same, had it been shown for fewer steps."""
        spikes = None if self.spikes is None else self.spikes[:, :steps]
        return Measured(replace(self.record, outputs=self.record.outputs[:, :steps]), spikes)

    def accuracy(self) -> list[float]:
        """After 1, 2, ... T steps."""
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
        """Read what `save` wrote."""
        with np.load(path) as content:
            spikes = torch.from_numpy(content["spikes"]) if "spikes" in content else None
        return cls(ExitRecord.load(path), spikes)


def measure(model: "Converted", data: "ImageDataset", steps: int) -> Measured:
    """Show every image for so many steps."""
    from ...data import image_batches
    from ...exits.recorder import record_outputs

    with _counted(model) as counts:
        recorded = record_outputs(model, ((model.encode(x, steps), y) for x, _, y in image_batches(data, _AT_ONCE)), accumulation=EVIDENCE)
    return Measured(recorded, torch.cat(counts)[-len(data) :])  # the first batch runs twice, to see that it gives the same


def measure_other(run: Callable[[Tensor, int], Tensor], data: "ImageDataset", steps: int) -> Measured:
    """The same for a network of another library: a function of images and steps that gives outputs [B, T, K]."""
    from ...data import image_batches

    outputs = torch.cat([run(x, steps) for x, _, _ in image_batches(data, _AT_ONCE)])
    return Measured(ExitRecord(outputs, data.y, accumulation=EVIDENCE), None)


@contextmanager
def _counted(model: "Converted") -> Iterator[list[Tensor]]:
    """While this is open, a list grows by the spikes of every batch, int64 [B, T]."""
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
