"""Permuted MNIST: one task for each permutation of the pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...core import expect_fields
from ...core.numbers import mixed_seed
from ...data import Batch, Images, Splits, mnist
from ...data.base import Hash, hash_tensor
from ...errors import InputError
from ..recipe import DataSource

LABELS = tuple("0123456789")
PIXELS = 28 * 28


class PermutedTasks:
    """The same normalised images for every task, with a permutation of the pixels for each.

    Args:
        images: at least one image; the inputs of the tasks are on its device.
        tasks: number of tasks.
        seed: seed of the permutations.
    """

    MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels of MNIST's training images, from 0 to 1
    dt_ms = 1.0  # an image is a sequence of one step
    labels = LABELS

    def __init__(self, images: Images, tasks: int, seed: int):
        self.images, self.tasks, self.seed = images, tasks, seed
        self.x = (images.x.flatten(1) / 255 - self.MEAN) / self.DEVIATION
        self.y = images.y

    def __len__(self) -> int:
        return self.tasks * len(self.y)

    def task(self, number: int) -> Tensor:
        """Return the inputs of a task, [N, C]."""
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, number))
        return self.x[:, torch.randperm(self.x.shape[1], generator=generator)]

    def first(self, tasks: int) -> "PermutedTasks":
        """Return the first tasks only."""
        return PermutedTasks(self.images, tasks, self.seed)

    def subset(self, index: Tensor) -> "PermutedTasks":
        """Return all tasks with the images of the items `index`, which are numbered through all tasks; an image occurs only once."""
        chosen = index.nonzero().flatten() if index.dtype == torch.bool else index
        images = torch.tensor(sorted(set((chosen % len(self.y)).tolist())))
        return PermutedTasks(Images(self.images.x[images], self.y[images]), self.tasks, self.seed)

    def to(self, device: torch.device) -> "PermutedTasks":
        """Return the tasks on a device."""
        return PermutedTasks(Images(self.images.x.to(device), self.y.to(device)), self.tasks, self.seed)

    def batches(self, size: int = 500, *, tail_steps: int = 0) -> Iterator[Batch]:
        """Yield all images of all tasks, task by task; x [B, 1, C]."""
        for number in range(self.tasks):
            for x, y in zip(torch.split(self.task(number), size), torch.split(self.y, size), strict=True):
                yield Batch(x.unsqueeze(1), torch.ones_like(x[:, :1], dtype=torch.bool), y)

    def hash_into(self, digest: Hash) -> None:
        """Add all images, classes and permutations to a digest."""
        digest.update(f"{self.tasks} tasks of seed {self.seed}".encode())
        hash_tensor(digest, self.images.x.cpu())
        hash_tensor(digest, self.y.cpu())


@dataclass(frozen=True)
class PermutedMnistData(DataSource):
    """Permuted MNIST."""

    name = "permuted-mnist"

    held_out: int = 0
    """Number of images at the end of the training images that are held out for validation after every task; 0 for no validation."""
    root: Path | None = None
    """Folder of MNIST; by default the one that DENDRIX_DATA names."""
    tasks: int = 10
    """Number of permutations; the recipe sets it to the number of tasks of its network."""
    seed: int = 0
    """Seed of the permutations; the recipe sets its own."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("held_out", "tasks"), held_out="[0, inf)", tasks="[1, inf)")

    def load(self) -> Splits[PermutedTasks]:
        """Load the three splits. Without held-out images the validation split is the training split, which the learner does not use.

        Raises:
            OSError, InputError: the images cannot be read, or none are left to train on.
        """
        train, test = mnist(self.root)
        kept = len(train.y) - self.held_out
        if kept < 1:
            raise InputError(f"held_out: expected from 0 to {len(train.y) - 1} images, got {self.held_out}. Choose a number in this range.")
        first = PermutedTasks(Images(train.x[:kept], train.y[:kept]), self.tasks, self.seed)
        held_out = PermutedTasks(Images(train.x[kept:], train.y[kept:]), self.tasks, self.seed) if self.held_out else first
        return Splits(first, held_out, PermutedTasks(test, self.tasks, self.seed))
