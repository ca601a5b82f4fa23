"""A network, a configuration, a source and recipes as a user writes them in a file of their own."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dendrix import LI, LIF, DelayLinear, Sequential, Stateful
from dendrix.data import Dataset, Splits
from dendrix.layers import QCFS
from dendrix.train import Budget, ImageBudget, ImageRecipe, PictureFolderData, SequenceOptim, SequenceRecipe

CLASSES = ("early", "middle", "late")


class Net(Stateful):
    """Neurons and delays, written by a user."""

    def __init__(self, hidden: int = 16):
        super().__init__()
        self.hidden = hidden
        delays = DelayLinear(4, hidden, 100.0, 10.0), DelayLinear(hidden, 3, 100.0, 10.0)
        self.body = Sequential(delays[0], LIF(hidden, 20.0, 10.0), delays[1], LI(3, 20.0, 10.0))

    def arguments(self) -> dict[str, int]:
        return {"hidden": self.hidden}

    def forward(self, x: Tensor, state: object = None, valid: Tensor | None = None) -> tuple[Tensor, object]:
        return self.body(x, state, valid)


class Cnn(nn.Module):
    """A plain convolutional network."""

    def __init__(self, levels: int | None = 4):
        super().__init__()
        activation = nn.ReLU() if levels is None else QCFS(levels, 2.0)
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), activation, nn.AvgPool2d(4))
        self.classifier, self.levels = nn.Linear(6 * 4, 2), levels

    def arguments(self) -> dict[str, int | None]:
        return {"levels": self.levels}

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


def bumps(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """x [N, 30, 4], y [N] and lengths [N]: a burst of spikes that is early, in the middle or late."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(3, (count,), generator=generator)
    x = (torch.rand(count, 30, 4, generator=generator) < 0.05).float()
    for row, label in zip(x, y.tolist(), strict=True):
        row[2 + 7 * label : 8 + 7 * label, :2] += 1
    return x, y, torch.randint(24, 31, (count,), generator=generator)


@dataclass(frozen=True)
class NetConfig:
    """What `Net` is made of."""

    hidden: int = 16
    """Neurons."""

    def build(self) -> Net:
        """The network."""
        return Net(self.hidden)


@dataclass(frozen=True)
class Bumps:
    """The bursts of `bumps`, as a source of a user's own."""

    count: int = 60
    """Of the training data."""

    def load(self) -> Splits[Dataset]:
        """The three splits."""
        parts = []
        for seed, count in enumerate((self.count, 30, 30)):
            x, y, lengths = bumps(count, seed)
            parts.append(Dataset([row[:n] for row, n in zip(x, lengths.tolist(), strict=True)], y, CLASSES, 10.0))
        return Splits(*parts)

    def to_dict(self) -> dict[str, object]:
        """Its name and its field."""
        return {"name": "own_nets:Bumps", "count": self.count}


@dataclass(frozen=True)
class CnnConfig:
    """What `Cnn` is made of."""

    levels: int | None = 4
    """Of QCFS; None takes plain ReLUs."""

    def build(self) -> Cnn:
        """The network."""
        return Cnn(self.levels)


def recipe() -> SequenceRecipe:
    """Bursts of spikes, early or late."""
    return SequenceRecipe(Bumps(), NetConfig(), optim=SequenceOptim(lr=0.02), budget=Budget(epochs=2, batch_size=20))


def wide() -> SequenceRecipe:
    """The same with more neurons."""
    return SequenceRecipe(Bumps(), NetConfig(24), budget=Budget(epochs=1, batch_size=20))


def images() -> ImageRecipe:
    """Two classes of pictures."""
    return ImageRecipe(PictureFolderData(side=8), CnnConfig(), budget=ImageBudget(epochs=4, batch_size=8))


def cnn() -> Cnn:
    """The network for `dendrix convert`."""
    return Cnn(None)
