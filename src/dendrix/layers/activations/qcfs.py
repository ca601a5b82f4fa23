"""QCFS: an activation quantised to L levels, which equals the mean output of an integrate-and-fire neuron over L steps."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...core import Described, expect_count, expect_floating, expect_in, expect_one_of, find_kernel

Mask = Literal["input", "level"]


class QCFS(Described):
    """Quantisation, clip, floor and shift: y = theta / L * clip(floor(x L / theta + 1/2), 0, L), one threshold for all neurons.

    The threshold is the softplus of a parameter and therefore positive; far from zero it is nearly equal to the parameter.

    Args:
        levels: L, the number of steps over which the mean output of the converted neuron equals the activation.
        threshold: initial theta; networks with small initial thresholds train badly.
        mask: range of u = x / theta in which gradients pass: "input", 0 <= u <= 1; or "level", levels from 0 to L, that is
            -1/2 <= u L < L + 1/2. The forward pass does not depend on it.
    Source: Bu et al. (2022), arXiv 2303.04347; "input" is the backward pass of the authors' second release, "level" of their first.
    """

    raw_threshold: Tensor

    def __init__(self, levels: int = 8, threshold: float = 8.0, mask: Mask = "input"):
        super().__init__()
        self.levels = expect_count(levels, "[1, inf)", "levels")
        self._start = expect_in(threshold, "(0, inf)", "threshold")
        self.mask = expect_one_of(mask, ("input", "level"), "mask")
        self.register_exact("raw_threshold", threshold + math.log(-math.expm1(-threshold)), train=True)

    @property
    def threshold(self) -> Tensor:
        """Threshold theta, a positive scalar []."""
        return nn.functional.softplus(self.raw_threshold)

    def forward(self, x: Tensor) -> Tensor:
        """x [...] -> y [...], multiples of theta / L from 0 to theta."""
        expect_floating(x)
        threshold = positive(self.raw_threshold)
        if fused := find_kernel("qcfs", x.device.type, x, threshold, self.levels, self.mask):
            y: Tensor = fused.run(x, threshold, self.levels, self.mask)
        else:
            y = _QCFS.apply(x, threshold, self.levels, self.mask)  # type: ignore[no-untyped-call]
        return y

    def arguments(self) -> dict[str, Any]:
        return dict(levels=self.levels, threshold=self._start, mask=self.mask)

    def learned(self) -> dict[str, Any]:
        return dict(threshold=self.threshold)


def positive(raw: Tensor) -> Tensor:
    """Softplus of a parameter, constant below -60 (1e-26): float32 would underflow to zero, and the gradient would be 0 / 0."""
    return nn.functional.softplus(raw.clamp_min(-60))


def _level(x: Tensor, threshold: Tensor, levels: int) -> Tensor:
    return (x * (levels / threshold) + 0.5).floor_()


def _slopes(x: Tensor, threshold: Tensor, levels: int, mask: Mask) -> tuple[Tensor, Tensor]:
    """Return the mask of the gradient, bool, and the output divided by the threshold, both [...]."""
    level = _level(x, threshold, levels)
    inside = (level >= 0) & (level <= levels) if mask == "level" else (x >= 0) & (x <= threshold)
    return inside, level.clamp(0, levels) / levels


class _QCFS(torch.autograd.Function):
    """QCFS with explicit gradient masks, because the gradient of torch.clamp at its bounds differs between releases."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, threshold: Tensor, levels: int, mask: Mask) -> Tensor:
        return _level(x, threshold, levels).clamp(0, levels).mul_(threshold / levels)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int, Mask], output: Tensor) -> None:
        x, threshold, ctx.levels, ctx.mask = inputs
        ctx.save_for_backward(x, threshold)
        ctx.save_for_forward(x, threshold)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, threshold = ctx.saved_tensors
        inside, share = _slopes(x, threshold, ctx.levels, ctx.mask)
        dx = upstream * inside
        return dx, torch.dot(upstream.flatten(), share.flatten()) - torch.dot(dx.flatten(), x.flatten()) / threshold, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, dthreshold: Tensor, *_: None) -> Tensor:
        x, threshold = ctx.saved_tensors
        inside, share = _slopes(x, threshold, ctx.levels, ctx.mask)
        return torch.addcmul(dx * inside, share - x / threshold * inside, dthreshold)
