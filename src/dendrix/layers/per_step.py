"""Layers that act on each time step by itself: any torch module, BatchNorm over valid steps, and a dropout held over time."""

from typing import Any

import torch
from torch import Tensor, nn

from ..core import (
    State,
    Stateful,
    expect,
    expect_count,
    expect_dtype,
    expect_floating,
    expect_in,
    expect_state,
    expect_valid,
    zero_invalid,
)
from ..errors import InputTypeError

_TOO_FEW = "valid: BatchNorm trains on at least two valid steps, got fewer. Use a larger batch or eval()."


class PerStep(Stateful):
    """Apply a module that knows no time (Linear, Conv2d, pooling) to each step: [B, T, ...] -> [B, T, ...]; invalid steps give zero."""

    def __init__(self, module: nn.Module):
        super().__init__()
        if not isinstance(module, nn.Module) or isinstance(module, Stateful):
            raise InputTypeError(
                f"module: expected a module that knows no time, got {type(module).__name__}. Layers over time need no PerStep."
            )
        self.module = module

    def arguments(self) -> dict[str, Any]:
        return dict(module=self.module)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T ...")
        expect_valid(valid, x)
        # Masked on both sides: an invalid NaN must reach neither the output nor the module's gradients.
        y = self.module(zero_invalid(x, valid).flatten(0, 1)).unflatten(0, x.shape[:2])
        return zero_invalid(y, valid), ()


class BatchNorm(Stateful):
    """Batch normalisation of each channel over batch, time and any further axes, [B, T, C, ...]; invalid steps do not count.

    Parameters and buffers are named as in `nn.BatchNorm1d`, so its `state_dict` loads.

    Args:
        size: number of channels.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics.
    Source: Ioffe & Szegedy (2015), arXiv 1502.03167.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, size: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.size = expect_count(size, "[1, inf)", "size")
        self.eps = expect_in(eps, "(0, inf)", "eps")
        self.momentum = expect_in(momentum, "[0, 1]", "momentum")
        self.weight = nn.Parameter(torch.ones(self.size))
        self.bias = nn.Parameter(torch.zeros(self.size))
        self.register_buffer("running_mean", torch.zeros(self.size))
        self.register_buffer("running_var", torch.ones(self.size))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C ...", C=self.size)
        expect_floating(x)
        if x.dtype not in (torch.bfloat16, torch.float16):  # torch normalises these with float32 statistics
            expect_dtype(x, self.weight)
        expect_valid(valid, x)
        if not self.training:
            y = self._normalise(zero_invalid(x, valid).flatten(0, 1)).view(x.shape)
            return zero_invalid(y, valid), ()
        self.num_batches_tracked.add_(1)
        flat = x.flatten(0, 1)
        if valid is None:
            return self._normalise(flat).view(x.shape), ()
        # Moving the valid steps together and back is exact, and measured at two thirds of the cost of sums under a mask.
        kept = valid.flatten().nonzero().squeeze(1)
        # A check that torch.compile understands: it knows from here on that there is something to normalise.
        torch._check(kept.numel() >= 2, lambda: _TOO_FEW)  # type: ignore[no-untyped-call]
        y = self._normalise(flat.index_select(0, kept))
        return y.new_zeros(flat.shape).index_copy(0, kept, y).view(x.shape), ()

    def _normalise(self, flat: Tensor) -> Tensor:
        args = self.running_mean, self.running_var, self.weight, self.bias
        return nn.functional.batch_norm(flat, *args, self.training, self.momentum, self.eps)

    def arguments(self) -> dict[str, Any]:
        return dict(size=self.size, eps=self.eps, momentum=self.momentum)


class HeldDropout(Stateful):
    """Dropout whose mask is drawn once per row and channel and held over time, [B, T, ...]. State: the mask, [B, ...].

    Args:
        p: probability of silencing a channel; survivors are scaled by 1 / (1 - p).
    Source: as in SpikingJelly's multi-step Dropout, which DCLS-Delays uses (arXiv 2306.17670).
    """

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = expect_in(p, "[0, 1)", "p")

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T ...")
        expect_floating(x)
        expect_valid(valid, x)
        expect_state(state, Tensor, x[:, 0].shape)
        if self.training and self.p > 0:
            state = torch.empty_like(x[:, 0]).bernoulli_(1 - self.p) / (1 - self.p) if state is None else state
            x = x * state.unsqueeze(1)
        else:
            state = torch.ones_like(x[:, 0]) if state is None else state
        return zero_invalid(x, valid), state

    def arguments(self) -> dict[str, Any]:
        return dict(p=self.p)
