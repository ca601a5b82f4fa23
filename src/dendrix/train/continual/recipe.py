"""Recipe for learning one task after another. Every field is an option on the command line."""

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
    """Passes over the data of all tasks together."""

    epochs: int

    def last_epoch(self, best: int) -> int:
        """The last epoch, whichever was best: every task is learned to its end."""
        return self.epochs - 1


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
    data: PermutedMnistData = field(default_factory=PermutedMnistData)
    """What to learn."""
    seed: int = 0
    """Of the permutations, the parameters' start and the order of the images."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("epochs", "batch_size", "seed"), epochs="[1, inf)", batch_size="[1, inf)", lr="[0, inf)", seed=SEEDS)
        object.__setattr__(self, "data", replace(self.data, tasks=self.model.tasks, seed=self.seed))

    @property
    def budget(self) -> TaskBudget:
        """For how long, in all."""
        return TaskBudget(self.epochs * self.model.tasks)

    def learner(self, splits: Splits[PermutedTasks], accelerator: Any) -> "ContinualLearner":
        """What trains the network on these tasks."""
        from .learner import ContinualLearner

        return ContinualLearner(self, splits, accelerator)
