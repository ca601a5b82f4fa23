"""LSQ: an activation quantised with a learned step; its network is converted to spikes as one of QCFS is."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ...core import Described, expect_count, expect_floating, expect_in
from .qcfs import positive


class LSQ(Described):
    """Learned step size quantisation of an activation: y = s round(clip(x / s, 0, Qp)) with Qp = 2^bits - 1, ties to even.

    The converted neuron has the threshold s Qp. The step is the softplus of a parameter, so that it stays positive.

    Args:
        bits: bits of the activation; 2 gives the levels 0 to 3.
        step: s at the start.
    Source: Esser et al. (2020), arXiv 1902.08153. The gradient of the step is divided by sqrt(B Qp), B the batch size, as in the
        release of Dynamic Confidence (arXiv 2303.10276); the paper of LSQ divides by the root of all elements instead of B.
    """

    raw_step: Tensor

    def __init__(self, bits: int = 2, step: float = 0.5):
        super().__init__()
        self.levels = 2 ** expect_count(bits, "[1, 24]", "bits") - 1  # beyond 24 float32 does not know all levels
        self._start = expect_in(step, "(0, inf)", "step")
        self.register_exact("raw_step", step + math.log(-math.expm1(-step)), train=True)

    @property
    def step(self) -> Tensor:
        """s, a positive scalar []."""
        return nn.functional.softplus(self.raw_step)

    @property
    def threshold(self) -> Tensor:
        """The largest value of the activation, s Qp, []."""
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
