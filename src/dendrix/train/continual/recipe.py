"""Recipe for continual learning. Every field is an option on the command line."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...checks import SEEDS, expect_fields
from ...data import Splits
from ...models import DendriticNetConfig
from .data import PermutedMnistData, PermutedTasks

if TYPE_CHECKING:
    from .learner import ContinualLearner


@dataclass(frozen=True)
class TaskBudget:
    """Length of the training on all tasks together, in epochs."""

    epochs: int

    def last_epoch(self, best: int) -> int:
        """Return the last epoch. It does not depend on the best one, because every task is trained to its end."""
        return self.epochs - 1


@dataclass(frozen=True)
class ContinualRecipe:
    """One experiment on permuted MNIST. Every task has all ten digits, under a permutation of the pixels."""

    model: DendriticNetConfig
    """Configuration of the network, which also holds the number of tasks."""
    epochs: int = 3
    """Passes over the training images for each task."""
    batch_size: int = 256
    """Images in one step of the optimiser."""
    lr: float = 5e-4
    """Learning rate of Adam, whose state is reset at every task."""
    data: PermutedMnistData = field(default_factory=PermutedMnistData)
    """Source of the data."""
    seed: int = 0
    """Seed of the permutations, the initial parameters and the order of the images."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("epochs", "batch_size", "seed"), epochs="[1, inf)", batch_size="[1, inf)", lr="[0, inf)", seed=SEEDS)
        object.__setattr__(self, "data", replace(self.data, tasks=self.model.tasks, seed=self.seed))

    @property
    def budget(self) -> TaskBudget:
        """Length of the training on all tasks."""
        return TaskBudget(self.epochs * self.model.tasks)

    def learner(self, splits: Splits[PermutedTasks], accelerator: Any) -> "ContinualLearner":
        """Build the learner of this recipe on the given tasks."""
        from .learner import ContinualLearner

        return ContinualLearner(self, splits, accelerator)
