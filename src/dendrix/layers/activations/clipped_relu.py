"""ReLU clipped at a measured ceiling, which replaces the ReLUs of a calibrated network before its conversion to spikes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...core import Described, expect_each, expect_floating


class ClippedReLU(Described):
    """Clipped ReLU, x [B, C, ...] -> y = clip(x, 0, theta).

    Args:
        threshold: theta, a number or one value per channel [C]. It is a buffer, set by `calibrate` and not trained.
    """

    threshold: Tensor

    def __init__(self, threshold: float | Sequence[float] | Tensor = 1.0):
        super().__init__()
        plain = expect_each(threshold, None, "(0, inf)", "threshold")
        self.register_exact("threshold", plain, len(plain) if isinstance(plain, tuple) and len(plain) > 1 else None)

    def forward(self, x: Tensor) -> Tensor:
        expect_floating(x)
        threshold = self.threshold.view(-1, *[1] * (x.dim() - 2)) if self.threshold.dim() else self.threshold
        return torch.minimum(x.relu(), threshold)

    def arguments(self) -> dict[str, Any]:
        return dict(threshold=self.threshold.tolist())
