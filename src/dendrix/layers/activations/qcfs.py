"""QCFS: an activation quantised to L levels, equal to the mean output of an integrate-and-fire neuron over L steps."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...core import Described, expect_count, expect_floating, expect_in, expect_one_of, find_kernel

Mask = Literal["input", "level"]


class QCFS(Described):
    """Quantisation, clip, floor and shift: y = theta / L * clip(floor(x L / theta + 1/2), 0, L), one threshold for all neurons.

    The threshold is the softplus of a parameter: it cannot become zero or negative, and far from zero it trains as if it were itself
    the parameter.

    Args:
        levels: L, the number of steps over which the mean output of the converted neuron equals the activation.
        threshold: theta at the start; small starts train badly.
        mask: where gradients pass, u = x / theta: "input" for 0 <= u <= 1, or "level" for levels from 0 to L, which is
            -1/2 <= u L < L + 1/2. The forward pass is the same.
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
        """theta, a positive scalar []."""
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
    """The softplus of a parameter. Below -60 it stays as it is there, 1e-26: float32 would reach zero, and the gradient 0 / 0."""
    return nn.functional.softplus(raw.clamp_min(-60))


def _level(x: Tensor, threshold: Tensor, levels: int) -> Tensor:
    return (x * (levels / threshold) + 0.5).floor_()


def _slopes(x: Tensor, threshold: Tensor, levels: int, mask: Mask) -> tuple[Tensor, Tensor]:
    """Where gradients pass, bool, and the output as a share of the threshold, both [...]."""
    level = _level(x, threshold, levels)
    inside = (level >= 0) & (level <= levels) if mask == "level" else (x >= 0) & (x <= threshold)
    return inside, level.clamp(0, levels) / levels


class _QCFS(torch.autograd.Function):
    """The masks are written out: the gradient of torch.clamp at its bounds changed between releases."""

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
