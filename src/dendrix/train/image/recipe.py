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
    """Stochastic gradient descent with Nesterov's momentum; the rate rises along a line, then falls to zero along a cosine."""

    lr: float = 0.1
    """Peak of the learning rate."""
    warm_up: float = 0.0
    """Share of the training in which it rises from zero."""
    momentum: float = 0.9
    """Share of the last step that goes into the next."""
    weight_decay: float = 5e-4
    """Added to the gradient of every parameter, thresholds too, as the parameter times this."""

    def __post_init__(self) -> None:
        expect_fields(self, lr="[0, inf)", warm_up="[0, 1)", momentum="(0, 1)", weight_decay="[0, inf)")


@dataclass(frozen=True)
class ImageBudget:
    """How long to train."""

    epochs: int = 30
    """Passes over the training data."""
    batch_size: int = 128
    """Images in one step of the optimiser."""
    precision: Literal["float32", "bf16"] = "float32"
    """Of convolutions and matrix products."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("epochs", "batch_size"), epochs="[1, inf)", batch_size="[1, inf)")
        expect_one_of(self.precision, ("float32", "bf16"), "precision")

    def last_epoch(self, best: int) -> int:
        """The last epoch to train, counted from 0, whichever was best: the rate falls until then."""
        return self.epochs - 1


@dataclass(frozen=True)
class ImageAugment:
    """Random changes of the training images; each is off at zero."""

    shift: int = 4
    """Move the image by up to this many pixels along each axis; black comes in."""
    flip: bool = True
    """Mirror every other image, left to right."""
    cutout: int = 0
    """Paint a square of this side grey."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("shift", "cutout"), shift="[0, inf)", cutout="[0, inf)")


@dataclass(frozen=True)
class ImageRecipe:
    """One experiment on images."""

    data: Source
    """What to learn: images."""
    model: NetworkConfig
    """What learns it; `VGGConfig`, `ResNetConfig`, or any configuration with a `build()`."""
    optim: ImageOptim = ImageOptim()
    """How the parameters move."""
    budget: ImageBudget = ImageBudget()
    """For how long."""
    augment: ImageAugment = ImageAugment()
    """What is varied in the training data."""
    seed: int = 0
    """Of the parameters' start, the order of the data, dropout and augmentation."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("seed",), seed=SEEDS)

    def learner(self, splits: Splits[ImageDataset] | Splits[ImageFiles], accelerator: Any) -> "ImageLearner":
        """What trains the network on these splits."""
        from .learner import ImageLearner

        return ImageLearner(self, splits, accelerator)
