"""Common parts of the image networks: configuration, input normalisation and initialisation."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ...core import expect_each, expect_fields, expect_one_of
from ...errors import InputError
from ...layers.activations.qcfs import QCFS, Mask


@dataclass(frozen=True)
class ImageConfig:
    """Base configuration of the image networks. The default mean and standard deviation are those of the training images of CIFAR-10.

    Raises:
        InputError: a field is out of range.
    """

    outputs: int = 10
    """Number of classes, K."""
    activation: Literal["qcfs", "relu"] = "qcfs"
    """QCFS, for conversion to a spiking network, or ReLU."""
    levels: int = 4
    """Quantisation levels L of QCFS: the number of time steps after which the converted neuron represents the activation exactly."""
    threshold: float = 8.0
    """Initial threshold of QCFS."""
    mask: Mask = "input"
    """Gradient mask of QCFS; see `QCFS`."""
    pool: Literal["average", "max"] = "average"
    """Pooling. Average pooling can be converted to spikes, max pooling cannot."""
    mean: tuple[float, ...] = (0.491, 0.482, 0.447)
    """Mean of each image channel, 0 to 1; its length is the number of channels."""
    std: tuple[float, ...] = (0.247, 0.243, 0.262)
    """Standard deviation of each image channel."""

    def __post_init__(self) -> None:
        for name, interval in (("mean", "(-inf, inf)"), ("std", "(0, inf)")):
            found = expect_each(getattr(self, name), None, interval, name)
            object.__setattr__(self, name, found if isinstance(found, tuple) else (found,))  # JSON has lists
        expect_one_of(self.activation, ("qcfs", "relu"), "activation")
        expect_one_of(self.mask, ("input", "level"), "mask")
        expect_one_of(self.pool, ("average", "max"), "pool")
        expect_fields(self, whole=("levels", "outputs"), levels="[1, inf)", threshold="(0, inf)", outputs="[1, inf)")
        if len(self.mean) != len(self.std):
            raise InputError(f"mean and std: expected one of each per channel, got {self.mean} and {self.std}. Correct them.")

    @property
    def channels(self) -> int:
        """Number of image channels, C."""
        return len(self.mean)

    def activate(self) -> nn.Module:
        """Create an activation module, one for each position, so that conversion can replace it."""
        return QCFS(self.levels, self.threshold, self.mask) if self.activation == "qcfs" else nn.ReLU()

    def pooling(self, size: int, stride: int, padding: int = 0) -> nn.Module:
        """Create a pooling layer.

        Args:
            size, stride, padding: as in `torch.nn.AvgPool2d`.
        """
        return (nn.AvgPool2d if self.pool == "average" else nn.MaxPool2d)(size, stride, padding)


class Normalise(nn.Module):
    """Input normalisation as the first module of a network: x [B, C, H, W] -> (x - mean) / std, by channel.

    Mean and standard deviation are part of the configuration and not of the state_dict, whose names thus match those of torchvision.

    Args:
        config: configuration with mean and standard deviation.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ImageConfig):
        super().__init__()
        self.register_buffer("mean", torch.tensor(config.mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(-1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


def initialise(network: nn.Module) -> None:
    """Initialise convolutions with He's scheme (fan-out); other modules are not changed.

    Args:
        network: network to initialise in place.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
