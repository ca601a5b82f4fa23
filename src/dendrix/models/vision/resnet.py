"""ResNet: residual networks of basic blocks."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from ...core import expect_counts, expect_instance, expect_one_of
from ...errors import InputError
from .parts import ImageConfig, Normalise, initialise


@dataclass(frozen=True)
class ResNetConfig(ImageConfig):
    """Configuration of a `ResNet`. The default is ResNet-18 for 32 x 32 pixels.

    Raises:
        InputError: a field is out of range.
    """

    channels_of: tuple[int, ...] = (64, 128, 256, 512)
    """Number of channels of each stage; every stage except the first halves the image."""
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    """Number of residual blocks of each stage."""
    stem: Literal["small", "large"] = "small"
    """First layer: "small", a 3 x 3 convolution; "large", a 7 x 7 convolution and pooling, each with stride 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("channels_of", "blocks"):
            object.__setattr__(self, name, expect_counts(getattr(self, name), name, least=1))  # JSON has lists
        expect_one_of(self.stem, ("small", "large"), "stem")
        if len(self.blocks) != len(self.channels_of):
            raise InputError(
                f"channels_of and blocks: expected one of each per stage, got {self.channels_of} and {self.blocks}. Correct them."
            )

    def build(self) -> "ResNet":
        """Create the network with initial weights."""
        return ResNet(self)


def resnet18(outputs: int = 10, levels: int = 4) -> ResNetConfig:
    """Return ResNet-18 for 32 x 32 pixels.

    Args:
        outputs: number of classes.
        levels: quantisation levels of QCFS.
    Source: He et al. (2016), arXiv 1512.03385, with a 3 x 3 stem as usual for CIFAR.
    """
    return ResNetConfig(outputs, levels=levels)


def resnet20(outputs: int = 10, levels: int = 4) -> ResNetConfig:
    """Return ResNet-20 for 32 x 32 pixels.

    Args:
        outputs: number of classes.
        levels: quantisation levels of QCFS.
    Source: He et al. (2016), arXiv 1512.03385, section 4.2, with convolutions as shortcuts.
    """
    return ResNetConfig(outputs, levels=levels, channels_of=(16, 32, 64), blocks=(3, 3, 3))


def resnet34(outputs: int = 1000, levels: int = 16) -> ResNetConfig:
    """Return ResNet-34 for 224 x 224 pixels, with average pooling.

    Args:
        outputs: number of classes.
        levels: quantisation levels of QCFS.
    Source: He et al. (2016), arXiv 1512.03385, table 1.
    """
    return ResNetConfig(
        outputs, levels=levels, blocks=(3, 4, 6, 3), stem="large", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    )  # mean and standard deviation of ImageNet


class ResNet(nn.Module):
    """ResNet: images [B, C, H, W], float from 0 to 1 -> outputs [B, K]. Modules have the names of torchvision's `resnet18`.

    Args:
        config: configuration of the network.
    """

    def __init__(self, config: ResNetConfig):
        super().__init__()
        self.config = expect_instance(config, ResNetConfig, "config")
        self.normalise = Normalise(config)
        channels, large = config.channels_of[0], config.stem == "large"
        self.conv1 = nn.Conv2d(config.channels, channels, 7 if large else 3, 2 if large else 1, 3 if large else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.act1 = config.activate()
        self.maxpool = config.pooling(3, 2, 1) if large else nn.Identity()
        self.stages: list[str] = []
        for number, (size, count) in enumerate(zip(config.channels_of, config.blocks, strict=True), 1):
            stage = nn.Sequential()
            for block in range(count):
                stage.append(BasicBlock(config, channels, size, 2 if block == 0 and number > 1 else 1))
                channels = size
            self.stages.append(f"layer{number}")
            self.add_module(self.stages[-1], stage)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, config.outputs)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.act1(self.bn1(self.conv1(self.normalise(x)))))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        outputs: Tensor = self.fc(self.avgpool(x).flatten(1))
        return outputs


class BasicBlock(nn.Module):
    """Residual block: two convolutions, and a shortcut added before the last activation.

    Args:
        config: configuration of the network.
        channels: number of input channels.
        size: number of output channels.
        stride: stride of the first convolution.
    """

    def __init__(self, config: ResNetConfig, channels: int, size: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, size, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(size)
        self.act1 = config.activate()
        self.conv2 = nn.Conv2d(size, size, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(size)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != size:
            self.downsample = nn.Sequential(nn.Conv2d(channels, size, 1, stride, bias=False), nn.BatchNorm2d(size))
        self.act2 = config.activate()

    def forward(self, x: Tensor) -> Tensor:
        inside = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        y: Tensor = self.act2(inside + self.downsample(x))
        return y
