"""The training loop: one function that can be read from top to bottom, and the pieces it names."""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from ..core import chosen_kernels
from ..core.files import write_json
from ..data import Batch, Splits, loader
from ..io import Checkpoint, write_checkpoint
from ..layers import anneal, clamp_delays, delay_layers, param_groups, rounded
from ..models import DelayNet
from .augment import mix, vary
from .data import source_to_dict
from .metrics import Scores, score
from .recipe import Recipe, recipe_to_dict
from .record import METRICS, RUN, append_line, environment
from .schedule import set_rates


class DivergedError(RuntimeError):
    """The loss or its gradient is no finite number any more."""


@dataclass
class Progress:
    """Where a training run stands: all that a resumed run would need beside the parameters and the optimiser."""

    step: int = 0
    best_epoch: int = -1
    best_accuracy: float = -1.0
    best_loss: float = math.inf
    stopped: str = "finished"

    def improve(self, epoch: int, scores: Scores) -> bool:
        """Remember the scores of an epoch if they are the best so far: by accuracy, and among equal ones by loss."""
        better = (scores.accuracy, -scores.loss) > (self.best_accuracy, -self.best_loss)
        if better:
            self.best_epoch, self.best_accuracy, self.best_loss = epoch, scores.accuracy, scores.loss
        return better


def fit(recipe: Recipe, folder: Path, *, name: str = "", quiet: bool = False) -> dict[str, Any]:
    """Train a recipe; the folder then holds the best network by validation, the metrics of every epoch and `run.json`.

    Validation runs on integer delays, as the network is deployed. The test split is not touched. Ctrl-C ends the training
    and keeps the best network so far, if there is one.

    Args:
        recipe: what to train.
        folder: an existing, empty folder.
        name: the recipe's name, for the record.
        quiet: no progress bar.
    Returns:
        what `run.json` holds.
    Raises:
        DivergedError: the loss or its gradient became infinite or not a number.
        ImportError: accelerate or tqdm is missing.
    """
    accelerate, tqdm = _extras()
    accelerate.utils.set_seed(recipe.seed)
    started = time.perf_counter()
    splits = recipe.data.load()
    _check(recipe, splits)
    encoder = source_to_dict(recipe.data).get("encoder")
    tail = recipe.decision.tail_steps(recipe.model.dt_ms)
    accelerator = accelerate.Accelerator()
    surroundings = environment(accelerator.device)  # now: the source tree may change while this runs
    network = DelayNet(recipe.model)
    model, optimizer, batches, held_out = accelerator.prepare(
        network,
        torch.optim.Adam(param_groups(network, recipe.optim.lr, recipe.optim.delay_lr, recipe.optim.weight_decay)),
        loader(splits.train, recipe.budget.batch_size, tail_steps=tail, seed=recipe.seed),
        loader(splits.valid, recipe.budget.batch_size, tail_steps=tail),
    )
    progress = Progress()
    bar = tqdm(range(recipe.budget.epochs), disable=quiet or None, unit="epoch", desc=name or "training")
    try:
        for epoch in bar:
            batches.set_epoch(epoch)
            line = _train_epoch(recipe, accelerator, model, optimizer, batches, progress)
            with rounded(network):
                scores = score(model, held_out, recipe.decision)
            _refuse_divergence(progress.step, {"validation loss": scores.loss})
            line |= {"valid_accuracy": scores.accuracy, "valid_loss": scores.loss, "seconds": time.perf_counter() - started}
            append_line(folder / METRICS, {"epoch": epoch, **line})
            if progress.improve(epoch, scores):
                write_checkpoint(folder, Checkpoint(network, splits.train.labels, encoder, recipe.decision))
            elif epoch - max(progress.best_epoch, recipe.budget.anneal * recipe.budget.epochs) >= recipe.budget.patience:
                progress.stopped = "no better validation"
                break
            bar.set_postfix(loss=f"{line['loss']:.3f}", valid=f"{scores.accuracy:.1%}", best=f"{progress.best_accuracy:.1%}")
    except KeyboardInterrupt:
        if progress.best_epoch < 0:
            raise
        progress.stopped = "interrupted"
    record = {
        "name": name,
        "recipe": recipe_to_dict(recipe),
        "parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "progress": asdict(progress),
        "seconds": time.perf_counter() - started,
        "environment": surroundings,
        "kernels": chosen_kernels(),
    }
    write_json(folder / RUN, record)
    return record


def _train_epoch(recipe: Recipe, accelerator: Any, model: Any, optimizer: Any, batches: Any, progress: Progress) -> dict[str, Any]:
    """One pass over the training data; returns its metrics."""
    model.train()
    total = recipe.budget.epochs * len(batches)
    loss_sum, right, count, norm_sum = 0.0, 0, 0, 0.0
    for batch in batches:
        share = progress.step / total
        set_rates(optimizer, recipe.optim, share)
        anneal(model, share / recipe.budget.anneal if recipe.budget.anneal else 1.0)
        loss, hits = _loss(recipe, model, batch)
        optimizer.zero_grad()
        accelerator.backward(loss)
        norm = float(accelerator.clip_grad_norm_(model.parameters(), recipe.optim.clip))
        _refuse_divergence(progress.step, {"loss": loss.item(), "gradient norm": norm})
        optimizer.step()
        clamp_delays(model)
        progress.step += 1
        loss_sum, right, count, norm_sum = loss_sum + loss.item() * len(batch.y), right + hits, count + len(batch.y), norm_sum + norm
    return {
        "step": progress.step,
        "loss": loss_sum / count,
        "train_accuracy": right / count,
        "gradient_norm": norm_sum / len(batches),
        "rates": {group["name"]: group["lr"] for group in optimizer.param_groups},
        "width": delay_layers(model)[0].width.item(),
    }


def _loss(recipe: Recipe, model: Any, batch: Batch) -> tuple[torch.Tensor, int]:
    """The cross-entropy of the final evidence, in part of the evidence after every step, and how many of the batch were right."""
    x, target = mix(batch, recipe.augment, recipe.model.outputs)
    evidence = recipe.decision.evidence(model, vary(x, recipe.augment), batch.valid)
    loss = functional.cross_entropy(evidence[:, -1], target)
    if recipe.early:
        truth = target.unsqueeze(2).expand(-1, -1, evidence.shape[1])
        every = functional.cross_entropy(evidence.transpose(1, 2), truth, reduction="none").masked_fill(~batch.valid, 0)
        loss = (1 - recipe.early) * loss + recipe.early * (every.sum(1) / batch.valid.sum(1)).mean()
    return loss, int((evidence[:, -1].argmax(-1) == batch.y).sum())


def _refuse_divergence(step: int, measured: dict[str, float]) -> None:
    if not all(map(math.isfinite, measured.values())):
        came = ", ".join(f"{name} {value}" for name, value in measured.items())
        raise DivergedError(f"Training diverged at step {step}: {came}. Lower --optim.lr or --optim.clip.")


def _check(recipe: Recipe, splits: Splits) -> None:
    """The network must fit its data before anything is spent on it."""
    data, model = splits.train, recipe.model
    for field, has, needs in (
        ("inputs", model.inputs, data.channels),
        ("outputs", model.outputs, len(data.labels)),
        ("dt_ms", model.dt_ms, data.dt_ms),
    ):
        if has != needs:
            raise ValueError(
                f"model.{field}: expected {needs}, as the data have it, got {has}. Set --model.{field.replace('_', '-')} {needs}."
            )


def _extras() -> tuple[Any, Any]:
    try:
        import accelerate
        import accelerate.utils
        from tqdm import tqdm
    except ImportError as missing:
        raise ImportError(f"Training needs {missing.name}, which is not installed: pip install dendrix[train].") from missing
    return accelerate, tqdm
