"""A ReLU with a ceiling that was measured, not trained: what a ReLU is turned into so that its network can become a spiking one."""

import torch
from torch import Tensor, nn

from ...core import expect_floating


class ClippedReLU(nn.Module):
    """y = clip(x, 0, theta), x [B, C, ...].

    Args:
        threshold: theta, a number, or one value per channel [C]. It is a buffer: data set it, gradients do not.
    """

    threshold: Tensor

    def __init__(self, threshold: float | Tensor = 1.0):
        super().__init__()
        self.register_buffer("threshold", torch.as_tensor(threshold, dtype=torch.get_default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        expect_floating(x)
        threshold = self.threshold.view(-1, *[1] * (x.dim() - 2)) if self.threshold.dim() else self.threshold
        return torch.minimum(x.relu(), threshold)
