"""The quantising activation whose network becomes a spiking one: what it gives is what an integrate-and-fire neuron sends in L steps."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...core import expect_floating, expect_in, expect_one_of, find_kernel
from ...errors import InputError

Mask = Literal["input", "level"]


class QCFS(nn.Module):
    """Quantisation, clip, floor and shift: y = theta / L * clip(floor(x L / theta + 1/2), 0, L), one threshold for all neurons.

    The threshold is the softplus of a parameter: it cannot become zero or negative, and far from zero it trains as if it were itself
    the parameter.

    Args:
        levels: L, the steps in which the converted neuron tells the activation exactly.
        threshold: theta at the start; small starts train badly.
        mask: where gradients pass, u = x / theta: "input" for 0 <= u <= 1, or "level" for levels from 0 to L, which is
            -1/2 <= u L < L + 1/2. The forward pass is the same.
    Source: Bu et al. (2022), arXiv 2303.04347; "input" is the backward pass of the authors' second release, "level" of their first.
    """

    def __init__(self, levels: int = 8, threshold: float = 8.0, mask: Mask = "input"):
        super().__init__()
        if levels < 1:
            raise InputError(f"levels: expected at least 1, got {levels}.")
        expect_in(threshold, "(0, inf)", "threshold")
        self.levels, self.mask = levels, expect_one_of(mask, ("input", "level"), "mask")
        self.raw_threshold = nn.Parameter(torch.tensor(threshold + math.log(-math.expm1(-threshold))))

    @property
    def threshold(self) -> Tensor:
        """theta, a positive scalar []."""
        return nn.functional.softplus(self.raw_threshold)

    def forward(self, x: Tensor) -> Tensor:
        """x [...] -> y [...], multiples of theta / L from 0 to theta."""
        expect_floating(x)
        if fused := find_kernel("qcfs", x.device.type, x, self.threshold, self.levels, self.mask):
            y: Tensor = fused.run(x, self.threshold, self.levels, self.mask)
        else:
            y = _QCFS.apply(x, self.threshold, self.levels, self.mask)  # type: ignore[no-untyped-call]
        return y

    def extra_repr(self) -> str:
        return f"levels={self.levels}, threshold={self.threshold.item():.3g}, mask={self.mask}"


def _level(x: Tensor, threshold: Tensor, levels: int) -> Tensor:
    return (x * (levels / threshold) + 0.5).floor_()


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

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, threshold = ctx.saved_tensors
        level = _level(x, threshold, ctx.levels)
        inside = (level >= 0) & (level <= ctx.levels) if ctx.mask == "level" else (x >= 0) & (x <= threshold)
        dx = upstream * inside
        share = level.clamp(0, ctx.levels) / ctx.levels
        return dx, torch.dot(upstream.flatten(), share.flatten()) - torch.dot(dx.flatten(), x.flatten()) / threshold, None, None
