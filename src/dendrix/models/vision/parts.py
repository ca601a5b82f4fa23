"""What the image networks share."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ...core import expect_fields, expect_one_of
from ...errors import InputError
from ...layers.activations.qcfs import QCFS, Mask


@dataclass(frozen=True)
class ImageConfig:
    """What every image network is told. Mean and deviation are those of the training images of CIFAR-10."""

    outputs: int = 10
    """Classes, K."""
    activation: Literal["qcfs", "relu"] = "qcfs"
    """QCFS, which trains for conversion to spikes, or plain ReLU."""
    levels: int = 4
    """L of QCFS: the steps in which the converted neuron tells the activation exactly."""
    threshold: float = 8.0
    """Threshold of QCFS at the start."""
    mask: Mask = "input"
    """Where gradients pass a QCFS, as there."""
    pool: Literal["average", "max"] = "average"
    """Averages can be converted; maxima of spikes are not spikes of maxima."""
    mean: tuple[float, ...] = (0.491, 0.482, 0.447)
    """Of each channel of the images, from 0 to 1; there are as many channels."""
    std: tuple[float, ...] = (0.247, 0.243, 0.262)
    """The standard deviation of each channel."""

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        expect_one_of(self.activation, ("qcfs", "relu"), "activation")
        expect_one_of(self.mask, ("input", "level"), "mask")
        expect_one_of(self.pool, ("average", "max"), "pool")
        expect_fields(self, levels="[1, inf)", threshold="(0, inf)", outputs="[1, inf)")
        if len(self.mean) != len(self.std) or not self.mean or min(self.std) <= 0:
            raise InputError(f"mean and std: expected one of each per channel, std above 0, got {self.mean} and {self.std}.")

    @property
    def channels(self) -> int:
        """C of the images."""
        return len(self.mean)

    def activate(self) -> nn.Module:
        """An activation. Every place in a network has its own, which conversion can replace."""
        return QCFS(self.levels, self.threshold, self.mask) if self.activation == "qcfs" else nn.ReLU()

    def pooling(self, size: int, stride: int, padding: int = 0) -> nn.Module:
        """A pooling layer."""
        return (nn.AvgPool2d if self.pool == "average" else nn.MaxPool2d)(size, stride, padding)


class Normalise(nn.Module):
    """x [B, C, H, W] -> (x - mean) / std, by channel. It is the first module of a network, so that nobody can forget it.

    The numbers belong to the configuration, not to the state_dict, which so has the names of other libraries' networks alone.
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
    """He's start for convolutions, by their outputs; the other modules keep theirs."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
