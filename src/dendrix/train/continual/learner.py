"""Learner for continual learning: every epoch belongs to one task, and earlier tasks are not trained again."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...data import Splits
from ...errors import InputError
from ...models import Decision, DendriticNet
from ...run_folder.checkpoint import Checkpoint, write_checkpoint
from ...run_folder.state import Progress
from ..health import refuse_divergence
from ..learner import Learner
from ..metrics import score
from .data import LABELS, PIXELS, PermutedTasks
from .recipe import ContinualRecipe


class ContinualLearner(Learner):
    """A `DendriticNet` and its tasks. The network after the last epoch is kept.

    Args:
        recipe: recipe to train.
        splits: its tasks.
        accelerator: accelerate's `Accelerator`.
    Raises:
        InputError: the images do not fit the network, or there are several processes.
    """

    network: DendriticNet
    chooses = "last"

    def __init__(self, recipe: ContinualRecipe, splits: Splits[PermutedTasks], accelerator: Any):
        for name, has, needs in (("inputs", recipe.model.inputs, PIXELS), ("outputs", recipe.model.outputs, len(LABELS))):
            if has != needs:
                raise InputError(f"model.{name}: expected {needs}, as in the images, got {has}. Set --model.{name} {needs}.")
        if accelerator.num_processes > 1:
            raise InputError(f"processes: expected one for continual learning, got {accelerator.num_processes}. Start one process.")
        device = accelerator.device
        self.recipe, self.tasks = recipe, splits.train.to(device)
        self.held_out = splits.valid.to(device) if recipe.data.held_out else None
        network = DendriticNet(recipe.model)
        super().__init__(network, _adam(network.to(device), recipe.lr), "float32", accelerator)
        self.task_ends = False

    def train(self, progress: Progress) -> dict[str, Any]:
        task, epoch = divmod(progress.epoch, self.recipe.epochs)
        self.task_ends = epoch == self.recipe.epochs - 1
        x, y = self.tasks.task(task), self.tasks.y
        if epoch == 0:
            self.network.begin_task(x)
            self.optimizer = _adam(self.network, self.recipe.lr)
        self.network.train()
        total = 0.0
        for chosen in torch.split(torch.randperm(len(y)), self.recipe.batch_size):
            loss = self._step(x[chosen], y[chosen], task, progress.step)
            progress.step += 1
            total += loss * len(chosen)
        return {"task": task, "step": progress.step, "loss": total / len(y)}

    def validate(self, step: int) -> dict[str, Any]:
        """Return the accuracy over all tasks so far at the end of a task; nothing if no images are held out."""
        found: dict[str, Any] = {"health": {}}
        if self.held_out is not None and self.task_ends:
            scores = score(self.network, self.held_out.first(int(self.network.known)).batches(), Decision())
            refuse_divergence(step, {"validation loss": scores.loss})
            found |= {"valid_accuracy": scores.accuracy, "valid_loss": scores.loss}
        return found

    def save(self, folder: Path) -> None:
        write_checkpoint(folder, Checkpoint(self.network, LABELS))

    def _step(self, x: Tensor, y: Tensor, task: int, step: int) -> float:
        outputs, _ = self.network(x.unsqueeze(1), task=task)
        loss = functional.cross_entropy(outputs[:, 0], y)
        refuse_divergence(step, {"loss": loss.item()})
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.item()


def _adam(network: DendriticNet, lr: float) -> torch.optim.Adam:
    return torch.optim.Adam([{"name": "weights", "params": list(network.parameters())}], lr, fused=True)
