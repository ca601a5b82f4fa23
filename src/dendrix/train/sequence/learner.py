"""Learner for networks over time."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from ...data import Batch, Dataset, Splits
from ...data.base import ShuffledBatches, collate
from ...errors import InputError
from ...layers import anneal, clamp_delays, param_groups, rounded
from ...layers.delay.base import delay_layers
from ...run_folder.checkpoint import Checkpoint, write_checkpoint
from ...run_folder.state import Progress
from ..checked import built, expect_alike, expect_classifier
from ..distributed.processes import Share, expect_enough, share_statistics
from ..health import Watch, expect_finite_splits, refuse_divergence
from ..learner import Learner
from ..metrics import score
from ..products import fast_products
from ..schedule import set_rates
from .augmentation import mix, vary
from .recipe import SequenceRecipe
from .voices import revoice


class SequenceLearner(Learner):
    """A network over time and its data. With several processes BatchNorm also uses the statistics of the whole batch.

    Args:
        recipe: recipe to train.
        splits: its data.
        accelerator: accelerate's `Accelerator`.
    Raises:
        InputError: the data do not fit the network, are not finite, or have fewer items than processes.
    """

    def __init__(self, recipe: SequenceRecipe, splits: Splits[Dataset], accelerator: Any):
        expect_alike(splits, Dataset)
        _check(recipe, splits)
        expect_finite_splits(splits)
        index, count = accelerator.process_index, accelerator.num_processes
        expect_enough(recipe.budget.batch_size, splits, count)
        network = built(recipe.model)
        tail = recipe.decision.tail_steps(splits.train.dt_ms)
        some = collate([splits.valid[i] for i in range(min(4, len(splits.valid)))], tail)
        expect_classifier(network, some, len(splits.train.labels), recipe.decision)
        if count > 1:
            share_statistics(network)
        self.recipe, self.labels, self.watch = recipe, splits.train.labels, Watch(network)
        groups = param_groups(network, recipe.optim.lr, recipe.optim.delay_lr, recipe.optim.weight_decay)
        super().__init__(network, torch.optim.Adam(groups), recipe.budget.precision, accelerator)
        size = recipe.budget.batch_size
        self.order = ShuffledBatches([len(x) for x in splits.train.x], size, recipe.seed, recipe.budget.pool)
        share = Share(self.order, index, count)
        self.batches: Iterable[Batch] = DataLoader(splits.train, batch_sampler=share, collate_fn=partial(collate, tail_steps=tail))  # type: ignore[arg-type]
        held_out = splits.valid.subset(torch.arange(index, len(splits.valid), count))
        self.held_out = held_out.batches(size, tail_steps=tail)
        self.weight = len(held_out) / len(splits.valid)

    @fast_products()
    def train(self, progress: Progress) -> dict[str, Any]:
        self.model.train()
        self.order.set_epoch(progress.epoch)
        budget, sums, norms = self.recipe.budget, torch.zeros(3, dtype=torch.double), 0.0
        for batch in self._moved(self.batches):
            done = progress.step / len(self.order) if self.recipe.optim.moves == "step" else progress.epoch
            share = done / budget.epochs
            set_rates(self.optimizer, self.recipe.optim, share, budget.epochs)
            anneal(self.network, share / budget.anneal if budget.anneal else 1.0)
            measured, norm = self._step(batch, progress.step)
            progress.step += 1
            sums, norms = sums + measured, norms + norm
        widths = [layer.width.item() for layer in delay_layers(self.network)]
        found = {"step": progress.step, **self.summary(sums, norms / len(self.order))}
        return {**found, "width": max(widths)} if widths else found

    def validate(self, step: int) -> dict[str, Any]:
        """Validate with integer delays, as the network is deployed."""
        with rounded(self.network), self.autocast():
            scores = score(self.network, self._moved(self.held_out), self.recipe.decision)
        accuracy, loss = self.total(torch.tensor([scores.accuracy, scores.loss], dtype=torch.double) * self.weight).tolist()
        refuse_divergence(step, {"validation loss": loss})
        self.watch.expect_finite(step)
        return {"valid_accuracy": accuracy, "valid_loss": loss, "health": self.watch.health(self.total)}

    def save(self, folder: Path) -> None:
        encoder = self.recipe.data.to_dict().get("encoder")
        write_checkpoint(folder, Checkpoint(self.network, self.labels, encoder, self.recipe.decision))

    def _step(self, batch: Batch, step: int) -> tuple[Tensor, float]:
        """Make one step; return [items, sum of losses, number correct] of the whole batch, and the gradient norm."""
        with self.autocast():
            loss, right = batch_loss(self.recipe, self.model, batch, len(self.labels))
        count, broken = len(batch.y), len(self.watch.broken)
        measured = self.total(torch.tensor([count, loss.item() * count, right, broken], dtype=torch.double))
        self.watch.expect_finite(step, bool(measured[3]))
        items, losses = measured[:2].tolist()
        norm = self.descend(loss, step, whole=losses / items, share=count / items, clip=self.recipe.optim.clip)
        clamp_delays(self.network)
        return measured[:3], norm

    def _moved(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield batch.to(self.accelerator.device)


def batch_loss(recipe: SequenceRecipe, model: Any, batch: Batch, classes: int) -> tuple[Tensor, int]:
    """Return the cross-entropy of the final evidence, mixed with that of all steps if the recipe says so, and the number correct."""
    batch = revoice(batch, recipe.augment)
    x, target = mix(batch, recipe.augment, classes)
    evidence = recipe.decision.evidence(model, vary(x, recipe.augment), batch.valid)
    loss = functional.cross_entropy(evidence[:, -1], target)
    if recipe.early:
        truth = target.unsqueeze(2).expand(-1, -1, evidence.shape[1])
        every = functional.cross_entropy(evidence.transpose(1, 2), truth, reduction="none").masked_fill(~batch.mask, 0)
        loss = (1 - recipe.early) * loss + recipe.early * (every.sum(1) / batch.mask.sum(1)).mean()
    return loss, int((evidence[:, -1].argmax(-1) == batch.y).sum())


def _check(recipe: SequenceRecipe, splits: Splits[Dataset]) -> None:
    """Refuse a configuration whose sizes differ from those of the data, before the training begins."""
    data = splits.train
    for field, needs in (("inputs", data.channels), ("outputs", len(data.labels)), ("dt_ms", data.dt_ms)):
        if (has := getattr(recipe.model, field, needs)) != needs:
            raise InputError(f"model.{field}: expected {needs}, as in the data, got {has}. Set --model.{field.replace('_', '-')} {needs}.")
