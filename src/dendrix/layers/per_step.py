"""Layers that act on each time step: wrapped torch modules, BatchNorm over valid steps, and dropout with a mask constant over time."""

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
from ..core.scanning import zeroed
from ..errors import InputTypeError

_TOO_FEW = "valid: expected at least two valid steps for training BatchNorm, got fewer. Use a larger batch or eval()."


class PerStep(Stateful):
    """Apply a module without time (Linear, Conv2d, pooling) to each step, [B, T, ...] -> [B, T, ...]; invalid steps output zero."""

    def __init__(self, module: nn.Module):
        super().__init__()
        if not isinstance(module, nn.Module) or isinstance(module, Stateful):
            raise InputTypeError(
                f"module: expected a module without time, such as nn.Linear, got {type(module).__name__}. Use it without PerStep."
            )
        self.module = module

    def arguments(self) -> dict[str, Any]:
        return dict(module=self.module)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T ...")
        expect_valid(valid, x)
        # Masked before and after, so that a NaN at an invalid step reaches neither the output nor the gradients.
        y = self.module(zero_invalid(x, valid).flatten(0, 1)).unflatten(0, x.shape[:2])
        return zero_invalid(y, valid), ()


class BatchNorm(Stateful):
    """Batch normalisation of each channel over batch, time and further axes, [B, T, C, ...], ignoring invalid steps.

    Parameters and buffers are named as in `nn.BatchNorm1d`, so its `state_dict` loads.

    Args:
        size: number of channels.
        eps: constant added to the variance.
        momentum: weight of the current batch in the running statistics.
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
        # Gathering the valid steps is exact and takes two thirds of the time of masked sums.
        kept = valid.flatten().nonzero().squeeze(1)
        # A check that torch.compile can use: at least two steps remain.
        torch._check(kept.numel() >= 2, lambda: _TOO_FEW)  # type: ignore[no-untyped-call]
        y = self._normalise(flat.index_select(0, kept))
        return zeroed(y.new_zeros(flat.shape).index_copy(0, kept, y).view(x.shape), valid), ()

    def _normalise(self, flat: Tensor) -> Tensor:
        args = self.running_mean, self.running_var, self.weight, self.bias
        return nn.functional.batch_norm(flat, *args, self.training, self.momentum, self.eps)

    def arguments(self) -> dict[str, Any]:
        return dict(size=self.size, eps=self.eps, momentum=self.momentum)


class HeldDropout(Stateful):
    """Dropout with one mask per sequence, constant over time, [B, T, ...]. State: the mask, [B, ...].

    Args:
        p: probability that a channel is set to zero; the others are scaled by 1 / (1 - p).
    Source: multi-step Dropout of SpikingJelly, used by DCLS-Delays (arXiv 2306.17670).
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
            return zeroed(zero_invalid(x, valid) * state.unsqueeze(1), valid), state
        return zero_invalid(x, valid), torch.ones_like(x[:, 0]) if state is None else state

    def arguments(self) -> dict[str, Any]:
        return dict(p=self.p)
