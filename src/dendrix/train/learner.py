"""A network that learns: one epoch of training, one of validation, and all that has to be kept between them."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from ..data import Batch, Splits, loader
from ..data.dataset import ShuffledBatches, collate
from ..layers import anneal, clamp_delays, delay_layers, param_groups, rounded
from ..models import DelayNet
from .augment import mix, vary
from .health import Watch, refuse_divergence
from .metrics import score
from .processes import Share, share_statistics
from .recipe import Recipe
from .run import Progress
from .schedule import set_rates


class Learner:
    """The network, its optimiser and its data on this process's device. Random numbers come from torch's generators alone.

    With several processes each has its share of every batch and of the validation data; gradients, BatchNorm and metrics are those of
    the whole.

    Args:
        recipe: what to train.
        splits: its data.
        accelerator: accelerate's, which knows the device and the other processes.
    """

    def __init__(self, recipe: Recipe, splits: Splits, accelerator: Any):
        self.recipe, self.accelerator = recipe, accelerator
        index, count = accelerator.process_index, accelerator.num_processes
        self.network = DelayNet(recipe.model)
        if count > 1:
            share_statistics(self.network)
        self.watch = Watch(self.network)
        self.model = accelerator.prepare(self.network)
        groups = param_groups(self.network, recipe.optim.lr, recipe.optim.delay_lr, recipe.optim.weight_decay)
        self.optimizer = torch.optim.Adam(groups)
        size, tail = recipe.budget.batch_size, recipe.decision.tail_steps(recipe.model.dt_ms)
        self.order = ShuffledBatches([len(x) for x in splits.train.x], size, recipe.seed)
        share = Share(self.order, index, count)
        self.batches: Iterable[Batch] = DataLoader(splits.train, batch_sampler=share, collate_fn=partial(collate, tail_steps=tail))  # type: ignore[arg-type]
        held_out = splits.valid.subset(torch.arange(index, len(splits.valid), count))
        self.held_out: Iterable[Batch] = loader(held_out, size, tail_steps=tail)
        self.weight = len(held_out) / len(splits.valid)

    def train(self, progress: Progress) -> dict[str, Any]:
        """One pass over the training data; returns its metrics.

        Raises:
            DivergedError: the loss, its gradient or a neuron's state became infinite or not a number.
        """
        self.model.train()
        self.order.set_epoch(progress.epoch)
        budget, sums, norms = self.recipe.budget, torch.zeros(3, dtype=torch.double), 0.0
        for batch in self._moved(self.batches):
            share = progress.step / (budget.epochs * len(self.order))
            set_rates(self.optimizer, self.recipe.optim, share)
            anneal(self.network, share / budget.anneal if budget.anneal else 1.0)
            measured, norm = self._step(batch, progress.step)
            progress.step += 1
            sums, norms = sums + measured, norms + norm
        count, loss, right = sums.tolist()
        return {
            "step": progress.step,
            "loss": loss / count,
            "train_accuracy": right / count,
            "gradient_norm": norms / len(self.order),
            "rates": {group["name"]: group["lr"] for group in self.optimizer.param_groups},
            "width": delay_layers(self.network)[0].width.item(),
        }

    def validate(self, step: int) -> dict[str, Any]:
        """Accuracy and loss on the validation data with integer delays, as the network is deployed, and the health of its layers.

        Raises:
            DivergedError: the loss or a neuron's state is infinite or not a number.
        """
        with rounded(self.network), self._autocast():
            scores = score(self.network, self._moved(self.held_out), self.recipe.decision)
        accuracy, loss = self._total(torch.tensor([scores.accuracy, scores.loss], dtype=torch.double) * self.weight).tolist()
        refuse_divergence(step, {"validation loss": loss})
        self.watch.expect_finite(step)
        return {"valid_accuracy": accuracy, "valid_loss": loss, "health": self.watch.health(self._total)}

    def tensors(self) -> dict[str, Tensor]:
        """All that the next epoch depends on, beside the progress."""
        kept = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            kept |= {f"optimizer.{number}.{name}": tensor for name, tensor in moments.items()}
        kept |= {f"random.{kind}": self._gathered(state) for kind, state in self._random().items()}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in kept.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `tensors` returned.

        Raises:
            ValueError: it comes from another number of processes.
        """
        accelerator = self.accelerator
        if (count := len(tensors["random.cpu"])) != accelerator.num_processes:
            raise ValueError(f"processes: expected {count}, as the run had them, got {accelerator.num_processes}. Start as many.")
        self.network.load_state_dict({name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")})
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, number, moment = name.split(".")
                moments.setdefault(int(number), {})[moment] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        torch.set_rng_state(tensors["random.cpu"][accelerator.process_index])
        if accelerator.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"][accelerator.process_index], accelerator.device)

    def _step(self, batch: Batch, step: int) -> tuple[Tensor, float]:
        """One step of the optimiser; returns [items, sum of their losses, how many were right] of the whole batch, and the norm."""
        with self._autocast():
            loss, right = batch_loss(self.recipe, self.model, batch)
        count, broken = len(batch.y), len(self.watch.broken)
        measured = self._total(torch.tensor([count, loss.item() * count, right, broken], dtype=torch.double))
        self.watch.expect_finite(step, bool(measured[3]))
        self.optimizer.zero_grad()
        # Gradients are averaged over the processes: each counts by its share of the batch.
        self.accelerator.backward(loss * (count * self.accelerator.num_processes / measured[0].item()))
        norm = float(self.accelerator.clip_grad_norm_(self.model.parameters(), self.recipe.optim.clip))
        refuse_divergence(step, {"loss": (measured[1] / measured[0]).item(), "gradient norm": norm})
        self.optimizer.step()
        clamp_delays(self.network)
        return measured[:3], norm

    def _moved(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield Batch(*(part.to(self.accelerator.device) for part in batch))

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=self.recipe.budget.precision == "bf16")

    def _total(self, x: Tensor) -> Tensor:
        """The sum over all processes, on the CPU."""
        total: Tensor = self.accelerator.reduce(x.to(self.accelerator.device), "sum").cpu()
        return total

    def _gathered(self, x: Tensor) -> Tensor:
        """What each process has, one row each."""
        rows: Tensor = self.accelerator.gather(x.to(self.accelerator.device).unsqueeze(0))
        return rows

    def _random(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.accelerator.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.accelerator.device)
        return states


def batch_loss(recipe: Recipe, model: Any, batch: Batch) -> tuple[Tensor, int]:
    """The cross-entropy of the final evidence, in part of the evidence after every step, and how many of the batch were right."""
    x, target = mix(batch, recipe.augment, recipe.model.outputs)
    evidence = recipe.decision.evidence(model, vary(x, recipe.augment), batch.valid)
    loss = functional.cross_entropy(evidence[:, -1], target)
    if recipe.early:
        truth = target.unsqueeze(2).expand(-1, -1, evidence.shape[1])
        every = functional.cross_entropy(evidence.transpose(1, 2), truth, reduction="none").masked_fill(~batch.valid, 0)
        loss = (1 - recipe.early) * loss + recipe.early * (every.sum(1) / batch.valid.sum(1)).mean()
    return loss, int((evidence[:, -1].argmax(-1) == batch.y).sum())
