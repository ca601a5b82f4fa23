"""Recipe for image networks. Every field is an option on the command line."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...checks import SEEDS
from ...core import expect_fields, expect_one_of
from ...data import ImageDataset, ImageFiles, Splits
from ..recipe import NetworkConfig, Source

if TYPE_CHECKING:
    from .learner import ImageLearner


@dataclass(frozen=True)
class ImageOptim:
    """Stochastic gradient descent with Nesterov momentum; the learning rate rises linearly, then falls along a cosine to zero."""

    lr: float = 0.1
    """Peak learning rate."""
    warm_up: float = 0.0
    """Share of the training in which the learning rate rises from zero."""
    momentum: float = 0.9
    """Momentum: share of the last step that is added to the next."""
    weight_decay: float = 5e-4
    """L2 penalty on all parameters, including thresholds: the parameter times this is added to its gradient."""

    def __post_init__(self) -> None:
        expect_fields(self, lr="[0, inf)", warm_up="[0, 1)", momentum="(0, 1)", weight_decay="[0, inf)")


@dataclass(frozen=True)
class ImageBudget:
    """Length of the training."""

    epochs: int = 30
    """Passes over the training data."""
    batch_size: int = 128
    """Images in one step of the optimiser."""
    precision: Literal["float32", "bf16"] = "float32"
    """Precision of convolutions and matrix products."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("epochs", "batch_size"), epochs="[1, inf)", batch_size="[1, inf)")
        expect_one_of(self.precision, ("float32", "bf16"), "precision")

    def last_epoch(self, best: int) -> int:
        """Return the last epoch, counted from 0. It does not depend on the best one, because the learning rate falls until the end."""
        return self.epochs - 1


@dataclass(frozen=True)
class ImageAugment:
    """Random augmentation of the training images; a zero turns a part off."""

    shift: int = 4
    """Largest shift along each axis, in pixels; the border is filled with zeros."""
    flip: bool = True
    """Flip each image horizontally with probability 0.5."""
    cutout: int = 0
    """Side of a grey square at a random place, in pixels."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("shift", "cutout"), shift="[0, inf)", cutout="[0, inf)")


@dataclass(frozen=True)
class ImageRecipe:
    """One experiment on images."""

    data: Source
    """Source of the images."""
    model: NetworkConfig
    """Configuration of the network: `VGGConfig`, `ResNetConfig`, or any with the method `build()`."""
    optim: ImageOptim = ImageOptim()
    """Settings of the optimiser."""
    budget: ImageBudget = ImageBudget()
    """Length of the training."""
    augment: ImageAugment = ImageAugment()
    """Augmentation of the training data."""
    seed: int = 0
    """Seed of the initial parameters, the data order, dropout and augmentation."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("seed",), seed=SEEDS)

    def learner(self, splits: Splits[ImageDataset] | Splits[ImageFiles], accelerator: Any) -> "ImageLearner":
        """Build the learner of this recipe on the given splits."""
        from .learner import ImageLearner

        return ImageLearner(self, splits, accelerator)
