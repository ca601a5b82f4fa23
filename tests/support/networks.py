"""Small networks to convert, with BatchNorm statistics that are not at their start, and the neurons of converted ones."""

import torch
from torch import Tensor, nn

from dendrix.layers import QCFS
from dendrix.neurons import IF, SignedIF


def settled(network: nn.Module) -> nn.Module:
    """The network in evaluation mode, as if it had been trained."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and module.track_running_stats:
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.3, 1.5)
            if module.affine:
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.normal_(0, 0.2)
    return network.eval()


def plain(activation: type[nn.Module] | None = None, pool: type[nn.Module] = nn.AvgPool2d) -> nn.Sequential:
    """A convolutional network for images [B, 3, 8, 8]."""

    def act() -> nn.Module:
        return QCFS(4, 1.0) if activation is None else activation()

    return settled(
        nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, bias=False),
            nn.BatchNorm2d(6),
            act(),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            act(),
            pool(2),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(128, 16, bias=False),
            nn.BatchNorm1d(16),
            act(),
            nn.Linear(16, 5),
        )
    )


class Block(nn.Module):
    """A residual block; the input is added before the last activation."""

    def __init__(self, channels: int, size: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, size, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(size)
        self.act1 = QCFS(4, 1.0)
        self.conv2 = nn.Conv2d(size, size, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(size)
        self.down = nn.Sequential(nn.Conv2d(channels, size, 1, stride, bias=False), nn.BatchNorm2d(size)) if stride > 1 else nn.Identity()
        self.act2 = QCFS(4, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        y += self.down(x)
        return self.act2(y)


class Residual(nn.Module):
    """For images [B, 3, 8, 8]. Without an activation after the stem, two tensors reach the first neurons."""

    def __init__(self, stem: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.act = QCFS(4, 1.0) if stem else nn.Identity()
        self.block1, self.block2 = Block(6, 6), Block(6, 8, stride=2)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block2(self.block1(self.act(self.conv(x))))
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def residual(stem: bool = True) -> nn.Module:
    return settled(Residual(stem))


def rate_if(size: int, theta: float | Tensor = 1.0) -> IF:
    """IF neurons as `convert` makes them."""
    theta = torch.as_tensor(theta)
    return IF(size, v_threshold=theta, v_init=theta / 2, amplitude=theta)


def signed_if(size: int, theta: float | Tensor = 1.0, limit: int | None = None) -> SignedIF:
    """SignedIF neurons as `convert` makes them."""
    theta = torch.as_tensor(theta)
    return SignedIF(size, v_threshold=theta, v_init=theta / 2, limit=limit)


def images(count: int = 6) -> Tensor:
    return torch.randn(count, 3, 8, 8)
