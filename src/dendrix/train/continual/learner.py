"""Learning one task after another: permuted images, a recipe for them, and its loop."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from ...checks import SEEDS
from ...core import expect_fields
from ...core.files import write_json
from ...data import Batch, Images, mnist
from ...errors import DivergedError, InputError
from ...models import Decision, DendriticNet, DendriticNetConfig
from ...run_folder.checkpoint import Checkpoint, write_checkpoint
from ...run_folder.record import METRICS, RUN, append_line, environment
from ..metrics import Scores, score

_LABELS = tuple("0123456789")
_PIXELS = 28 * 28


@dataclass(frozen=True)
class ContinualRecipe:
    """One experiment on permuted MNIST. Every task is all ten digits with their pixels in an order of its own."""

    model: DendriticNetConfig
    """What learns; it also says how many tasks there are."""
    epochs: int = 3
    """Passes over the training images, for each task."""
    batch_size: int = 256
    """Images in one step of the optimiser."""
    lr: float = 5e-4
    """Learning rate of Adam, which starts afresh with every task."""
    held_out: int = 0
    """How many images at the end of the training images are kept for validation."""
    root: Path | None = None
    """The folder of MNIST; by default the one that DENDRIX_DATA names."""
    seed: int = 0
    """Of the permutations, the parameters' start and the order of the images."""

    def __post_init__(self) -> None:
        expect_fields(self, epochs="[1, inf)", batch_size="[1, inf)", lr="[0, inf)", held_out="[0, inf)", seed=SEEDS)


class PermutedTasks:
    """The same images for every task, with their pixels, normalised, in an order of the task's own.

    Args:
        images: at least one; where they are, the inputs of the tasks will be.
        tasks: how many there are.
        seed: of the orders.
    """

    MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels of MNIST's training images, from 0 to 1
    dt_ms = 1.0  # an image is a sequence of one step

    def __init__(self, images: Images, tasks: int, seed: int):
        self.x = (images.x.flatten(1) / 255 - self.MEAN) / self.DEVIATION
        self.y, self.tasks, self.seed = images.y, tasks, seed

    def __len__(self) -> int:
        return self.tasks * len(self.y)

    def task(self, number: int) -> Tensor:
        """The inputs of a task, [N, C]."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        return self.x[:, torch.randperm(self.x.shape[1], generator=generator)]

    def batches(self, tasks: int | None = None, size: int = 500) -> Iterator[Batch]:
        """All images of the first tasks, or of all; x [B, 1, C]."""
        for number in range(self.tasks if tasks is None else tasks):
            for x, y in zip(torch.split(self.task(number), size), torch.split(self.y, size), strict=True):
                yield Batch(x.unsqueeze(1), torch.ones_like(x[:, :1], dtype=torch.bool), y)


def recipe_from_dict(saved: dict[str, Any]) -> ContinualRecipe:
    """The recipe that a run record holds."""
    root = saved["root"] and Path(saved["root"])
    return ContinualRecipe(**{**saved, "model": DendriticNetConfig(**saved["model"]), "root": root})


def load_split(recipe: ContinualRecipe, split: str, device: torch.device | str = "cpu") -> PermutedTasks:
    """The tasks of a split: "train", "valid" (the last `held_out` training images) or "test".

    Raises:
        OSError, ValueError: the images cannot be read, the split would be empty, or the network is not made for such images.
    """
    for name, has, needs in (("inputs", recipe.model.inputs, _PIXELS), ("outputs", recipe.model.outputs, len(_LABELS))):
        if has != needs:
            raise InputError(f"model.{name}: expected {needs}, as the images have it, got {has}. Set --model.{name} {needs}.")
    train, test = mnist(recipe.root)
    kept = len(train.y) - recipe.held_out
    parts = {"train": (train, slice(kept)), "valid": (train, slice(kept, None)), "test": (test, slice(None))}
    images, part = parts[split]
    if kept < 1 or len(images.y[part]) == 0:
        raise InputError(
            f"held_out: expected from 1 to {len(train.y) - 1} images held out, got {recipe.held_out}. Choose a number between."
        )
    return PermutedTasks(Images(images.x[part].to(device), images.y[part].to(device)), recipe.model.tasks, recipe.seed)


def fit_continual(recipe: ContinualRecipe, folder: Path, *, name: str = "", quiet: bool = False) -> dict[str, Any]:
    """Learn the tasks one after another; the folder then holds the network, the metrics after every task and `run.json`.

    No task is seen twice, and no image of an earlier one is kept. The test split is not touched.

    Args:
        recipe: what to train.
        folder: an existing, empty folder.
        name: the recipe's name, for the record.
        quiet: no progress bar.
    Returns:
        what `run.json` holds.
    Raises:
        DivergedError: the loss became infinite or not a number.
    """
    started = time.perf_counter()
    torch.manual_seed(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    surroundings = environment(device)
    images = load_split(recipe, "train", device)
    held_out = load_split(recipe, "valid", device) if recipe.held_out else None
    net = DendriticNet(recipe.model).to(device)
    console = Console(stderr=True)
    scores: Scores | None = None
    for task in track(range(recipe.model.tasks), name or "training", console=console, disable=quiet or not console.is_terminal):
        loss = _learn(recipe, net, images.task(task), images.y, task)
        line = {"task": task, "loss": loss, "seconds": time.perf_counter() - started}
        if held_out is not None:
            scores = score(net, held_out.batches(task + 1), Decision())
            line |= {"valid_accuracy": scores.accuracy, "valid_loss": scores.loss}
        append_line(folder / METRICS, line)
    write_checkpoint(folder, Checkpoint(net, _LABELS))
    record = {
        "name": name,
        "recipe": {**asdict(recipe), "root": recipe.root and str(recipe.root)},
        "parameters": sum(p.numel() for p in net.parameters()),
        "valid_accuracy": scores and scores.accuracy,
        "seconds": time.perf_counter() - started,
        "environment": surroundings,
    }
    write_json(folder / RUN, record)
    return record


def _learn(recipe: ContinualRecipe, net: DendriticNet, x: Tensor, y: Tensor, task: int) -> float:
    """Learn one task; returns the mean loss of its last epoch."""
    net.begin_task(x)
    net.train()
    optimizer = torch.optim.Adam(net.parameters(), recipe.lr, fused=True)
    for _ in range(recipe.epochs):
        total = 0.0
        for chosen in torch.split(torch.randperm(len(y)), recipe.batch_size):
            outputs, _ = net(x[chosen].unsqueeze(1), task=task)
            loss = functional.cross_entropy(outputs[:, 0], y[chosen])
            if not loss.isfinite():
                raise DivergedError(f"Training diverged in task {task}: loss {loss.item()}. Lower --lr.")
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            total += loss.item() * len(chosen)
    return total / len(y)
