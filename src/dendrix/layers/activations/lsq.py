"""LSQ: an activation quantised with a trained step size, for conversion to spikes."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ...core import Described, expect_count, expect_floating, expect_in
from .qcfs import positive


class LSQ(Described):
    """Learned step size quantisation of an activation: y = s round(clip(x / s, 0, Qp)), Qp = 2^bits - 1, ties to even.

    The converted neuron has the threshold s Qp. The step is the softplus of a parameter and therefore positive.

    Args:
        bits: number of bits; 2 gives the levels 0 to 3.
        step: initial s.
    Source: Esser et al. (2020), arXiv 1902.08153. The gradient of the step is divided by sqrt(B Qp) with the batch size B,
        as in the release of Dynamic Confidence (arXiv 2303.10276); the LSQ paper has the number of elements instead of B.
    """

    raw_step: Tensor

    def __init__(self, bits: int = 2, step: float = 0.5):
        super().__init__()
        self.levels = 2 ** expect_count(bits, "[1, 24]", "bits") - 1  # float32 represents all levels up to 24 bits
        self._start = expect_in(step, "(0, inf)", "step")
        self.register_exact("raw_step", step + math.log(-math.expm1(-step)), train=True)

    @property
    def step(self) -> Tensor:
        """Step s, a positive scalar []."""
        return nn.functional.softplus(self.raw_step)

    @property
    def threshold(self) -> Tensor:
        """Largest value of the activation, s Qp, []."""
        return torch.mul(self.step, self.levels)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, ...] -> y [B, ...], multiples of the step from 0 to the threshold."""
        expect_floating(x)
        y: Tensor = _LSQ.apply(x, positive(self.raw_step), self.levels)  # type: ignore[no-untyped-call]
        return y

    def arguments(self) -> dict[str, Any]:
        return dict(bits=self.levels.bit_length(), step=self._start)

    def learned(self) -> dict[str, Any]:
        return dict(step=self.step)


class _LSQ(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, step: Tensor, levels: int) -> Tensor:
        return (x / step).clamp(0, levels).round_().mul_(step)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        x, step, ctx.levels = inputs
        ctx.save_for_backward(x, step)
        ctx.save_for_forward(x, step)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        x, step = ctx.saved_tensors
        share = x / step
        dx = upstream * ((share > 0) & (share < ctx.levels))
        level = share.clamp(0, ctx.levels).round_()
        dstep = torch.dot(upstream.flatten(), level.flatten()) - torch.dot(dx.flatten(), share.flatten())
        return dx, dstep / math.sqrt(len(x) * ctx.levels), None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, dstep: Tensor, *_: None) -> Tensor:
        x, step = ctx.saved_tensors
        share = x / step
        inside = (share > 0) & (share < ctx.levels)
        slope: Tensor = share.clamp(0, ctx.levels).round_() - share * inside
        return torch.addcmul(dx * inside, slope, dstep / math.sqrt(len(x) * ctx.levels))
