"""VGG: stages of 3 x 3 convolutions with pooling in between."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from ...checks import shown
from ...core import expect_counts, expect_fields, expect_instance
from ...errors import InputError
from .parts import ImageConfig, Normalise, initialise


@dataclass(frozen=True)
class VGGConfig(ImageConfig):
    """Configuration of a `VGG`. The default is a small network for 32 x 32 pixels with 8.7 million multiply-adds per image.

    Raises:
        InputError: a field is out of range.
    """

    stages: tuple[tuple[int, ...], ...] = ((16,), (32,), (64, 64), (128, 128))
    """Number of channels of each convolution, by stage; pooling halves the image after every stage."""
    hidden: tuple[int, ...] = ()
    """Number of units of each hidden layer between the convolutions and the outputs."""
    grid: int = 1
    """Side of the image after adaptive average pooling, before the first hidden layer."""
    dropout: float = 0.0
    """Dropout probability of hidden units."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.stages, str) or not isinstance(self.stages, Iterable):
            raise InputError(
                f"stages: expected one sequence of whole numbers per stage, such as ((16,), (32, 32)), got {shown(self.stages)}."
            )
        object.__setattr__(self, "stages", tuple(expect_counts(stage, "stages", least=1) for stage in self.stages))  # JSON has lists
        object.__setattr__(self, "hidden", expect_counts(self.hidden, "hidden"))
        expect_fields(self, whole=("grid",), grid="[1, inf)", dropout="[0, 1)")

    def build(self) -> "VGG":
        """Create the network with initial weights."""
        return VGG(self)


_VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def vgg16(outputs: int = 10, levels: int = 4) -> VGGConfig:
    """Return VGG-16 for 32 x 32 pixels.

    Args:
        outputs: number of classes.
        levels: quantisation levels of QCFS.
    Source: Simonyan & Zisserman (2015), arXiv 1409.1556, with BatchNorm; two hidden layers of 4096 as in the code of arXiv 2303.04347.
    """
    return VGGConfig(outputs, levels=levels, stages=_VGG16, hidden=(4096, 4096), dropout=0.5)


class VGG(nn.Module):
    """VGG: images [B, C, H, W], float from 0 to 1 -> outputs [B, K]. Modules have the names of torchvision's `vgg16_bn`.

    Args:
        config: configuration of the network.
    """

    def __init__(self, config: VGGConfig):
        super().__init__()
        self.config = expect_instance(config, VGGConfig, "config")
        self.normalise = Normalise(config)
        channels, features = config.channels, nn.Sequential()
        for stage in config.stages:
            for size in stage:
                features.extend([nn.Conv2d(channels, size, 3, padding=1), nn.BatchNorm2d(size), config.activate()])
                channels = size
            features.append(config.pooling(2, 2))
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d(config.grid)
        sizes, classifier = (channels * config.grid**2, *config.hidden), nn.Sequential()
        for before, size in pairwise(sizes):
            classifier.extend([nn.Linear(before, size), config.activate(), nn.Dropout(config.dropout)])
        self.classifier = classifier.append(nn.Linear(sizes[-1], config.outputs))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(self.normalise(x)))
        outputs: Tensor = self.classifier(x.flatten(1))
        return outputs
