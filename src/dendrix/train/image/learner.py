"""Learner for image networks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...data import Batch, ImageDataset, ImageFiles, ShuffledBatches, Splits, image_batches, take_batch
from ...errors import InputError
from ...layers import QCFS
from ...models.decision import outputs_of
from ...run_folder.checkpoint import Checkpoint, write_checkpoint
from ...run_folder.state import Progress
from ..checked import built, expect_alike, expect_classifier
from ..distributed.processes import Share, expect_enough
from ..health import refuse_divergence
from ..learner import Learner
from ..metrics import score
from ..schedule import cosine
from .augmentation import vary_images
from .recipe import ImageOptim, ImageRecipe


class ImageLearner(Learner):
    """An image network and its data.

    Args:
        recipe: recipe to train.
        splits: its data.
        accelerator: accelerate's `Accelerator`. BatchNorm normalises the share of each process separately.
    Raises:
        InputError: the data do not fit the network.
    """

    def __init__(self, recipe: ImageRecipe, splits: Splits[ImageDataset] | Splits[ImageFiles], accelerator: Any):
        expect_alike(splits, ImageDataset, ImageFiles)
        _check(recipe, splits.train)
        expect_enough(recipe.budget.batch_size, splits, accelerator.num_processes)
        network: nn.Module = built(recipe.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        expect_classifier(network, take_batch(splits.valid, torch.arange(min(4, len(splits.valid)))), len(splits.train.labels))
        groups = [{"name": "weights", "params": list(network.parameters())}]
        optim = recipe.optim
        sgd = torch.optim.SGD(groups, optim.lr, optim.momentum, weight_decay=optim.weight_decay, nesterov=True)
        super().__init__(network, sgd, recipe.budget.precision, accelerator)
        index, count = accelerator.process_index, accelerator.num_processes
        self.recipe, self.data = recipe, splits.train
        self.shape = tuple(splits.valid.take(torch.tensor([0])).shape[1:])
        self.order = ShuffledBatches([1] * len(splits.train), recipe.budget.batch_size, recipe.seed, pool=1)
        self.share = Share(self.order, index, count)
        self.held_out = splits.valid.subset(torch.arange(index, len(splits.valid), count))
        self.weight = len(self.held_out) / len(splits.valid)

    def train(self, progress: Progress) -> dict[str, Any]:
        self.model.train()
        self.order.set_epoch(progress.epoch)
        budget, sums, norms = self.recipe.budget, torch.zeros(3, dtype=torch.double), 0.0
        for batch in self._batches():
            self.optimizer.param_groups[0]["lr"] = rate(self.recipe.optim, progress.step / (budget.epochs * len(self.order)))
            measured, norm = self._step(batch, progress.step)
            progress.step += 1
            sums, norms = sums + measured, norms + norm
        self._share_statistics()
        thresholds = {name: part.threshold.item() for name, part in self.network.named_modules() if isinstance(part, QCFS)}
        return {"step": progress.step, **self.summary(sums, norms / len(self.order)), "thresholds": thresholds}

    def validate(self, step: int) -> dict[str, Any]:
        with self.autocast():
            scores = score(self.network, image_batches(self.held_out, device=self.accelerator.device))
        accuracy, loss = self.total(torch.tensor([scores.accuracy, scores.loss], dtype=torch.double) * self.weight).tolist()
        refuse_divergence(step, {"validation loss": loss})
        return {"valid_accuracy": accuracy, "valid_loss": loss, "health": {}}

    def save(self, folder: Path) -> None:
        write_checkpoint(folder, Checkpoint(self.network, self.data.labels, shape=self.shape))

    def _batches(self) -> Iterator[Batch]:
        """Yield this process's share of every batch, augmented, in the order of the epoch."""
        for index in self.share:
            x, _, y = take_batch(self.data, torch.tensor(index), self.accelerator.device)
            yield Batch(vary_images(x, self.recipe.augment), None, y)

    def _share_statistics(self) -> None:
        """Replace the running statistics of BatchNorm by their mean over all processes, so that all validate one network."""
        if (count := self.accelerator.num_processes) > 1:
            for statistic in filter(torch.is_floating_point, self.network.buffers()):
                statistic.copy_(self.total(statistic) / count)

    def _step(self, batch: Batch, step: int) -> tuple[Tensor, float]:
        """Make one step; return [items, sum of losses, number correct] of the whole batch, and the gradient norm."""
        with self.autocast():
            outputs = outputs_of(self.model, batch.x.contiguous(memory_format=torch.channels_last))
        loss, count = functional.cross_entropy(outputs.float(), batch.y), len(batch.y)
        right = int((outputs.argmax(-1) == batch.y).sum())
        measured = self.total(torch.tensor([count, loss.item() * count, right], dtype=torch.double))
        items, losses, _ = measured.tolist()
        return measured, self.descend(loss, step, whole=losses / items, share=count / items)


def rate(optim: ImageOptim, progress: float) -> float:
    """Return the learning rate at `progress` in [0, 1); a pure function, so that a resumed run continues exactly."""
    if progress < optim.warm_up:
        return optim.lr * progress / optim.warm_up
    return optim.lr * cosine((progress - optim.warm_up) / (1 - optim.warm_up))


def _check(recipe: ImageRecipe, data: ImageDataset | ImageFiles) -> None:
    """Refuse a configuration whose sizes differ from those of the data, before the training begins."""
    channels = getattr(recipe.model, "channels", data.channels)
    if channels != data.channels:
        raise InputError(
            f"model.mean: expected {data.channels} numbers, one for each channel of the images, got {channels}. "
            "Set --model.mean and --model.std."
        )
    outputs = getattr(recipe.model, "outputs", len(data.labels))
    if outputs != len(data.labels):
        raise InputError(
            f"model.outputs: expected {len(data.labels)}, the number of classes, got {outputs}. Set --model.outputs {len(data.labels)}."
        )
