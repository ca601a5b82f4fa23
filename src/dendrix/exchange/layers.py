"""Modules of torch for the nodes of NIR that have no counterpart there."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ..core import ATan, Described
from ..neurons.base import Spike


class Scale(Described):
    """Multiply each signal by a trained factor of its own, [B, ...] -> [B, ...].

    Args:
        scale: one value, or an array with the shape of a step.
    """

    def __init__(self, scale: ArrayLike):
        super().__init__()
        self.scale = nn.Parameter(torch.as_tensor(np.array(scale, np.float64), dtype=torch.get_default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale

    def arguments(self) -> dict[str, Any]:
        return dict(scale=self.scale.detach())


class Threshold(Described):
    """One where a signal is above its threshold, and zero elsewhere, [B, ...] -> [B, ...].

    Args:
        threshold: one value, or an array with the shape of a step.
        spike: Heaviside step with a surrogate gradient.
    """

    threshold: Tensor

    def __init__(self, threshold: ArrayLike, spike: Spike = ATan()):
        super().__init__()
        self.spike = spike
        self.register_buffer("threshold", torch.as_tensor(np.array(threshold, np.float64), dtype=torch.get_default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        return 1 - self.spike(self.threshold - x)

    def arguments(self) -> dict[str, Any]:
        return dict(threshold=self.threshold, spike=self.spike)


class BatchedLinear(Described):
    """A linear map of the last axis with weights of its own for each index of the axes before, [B, ..., I] -> [B, ..., O].

    Args:
        weight: [..., O, I].
        bias: [..., O]; None: there is none.
    """

    def __init__(self, weight: ArrayLike, bias: ArrayLike | None = None):
        super().__init__()
        dtype = torch.get_default_dtype()
        self.weight = nn.Parameter(torch.as_tensor(np.array(weight, np.float64), dtype=dtype))
        self.bias = None if bias is None else nn.Parameter(torch.as_tensor(np.array(bias, np.float64), dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        y = (self.weight @ x.unsqueeze(-1)).squeeze(-1)
        return y if self.bias is None else y + self.bias

    def arguments(self) -> dict[str, Any]:
        return dict(weight=self.weight.detach(), bias=None if self.bias is None else self.bias.detach())
