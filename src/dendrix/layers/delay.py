"""A linear layer whose every synapse has a learned delay (DCLS-Delays, arXiv 2306.17670)."""

import contextlib
import copy
import math
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..core import State, Stateful, expect, expect_one_of, expect_valid, find_kernel

Granularity = Literal["synaptic", "axonal", "dendritic"]
Interpolation = Literal["gauss", "triangle", "linear"]

_WIDTH_OFFSET = {"gauss": 0.27, "triangle": 1.0, "linear": 1.0}
"""What the published layer adds to |SIG|: the narrowest Gaussian has width 0.27 and the narrowest triangle reaches one step."""


def delay_kernel(weight: Tensor, delay: Tensor, width: Tensor, taps: int, interpolation: str) -> Tensor:
    """The temporal kernel of a delay layer: each synapse's weight, spread around its delay.

    s = |width| + 0.27 (gauss) or |width| + 1 (triangle) or 1 (linear)
    g[lag] = exp(-((lag - delay) / s)^2 / 2)  or  max(0, s - |lag - delay|)
    kernel[lag, i, o] = sum_k weight[o, i, k] * g[lag] / (sum_lag g[lag] + 1e-7)

    Args:
        weight: [C_out, C_in, K].
        delay: in steps, broadcastable to the weight: [C_out, C_in, K], [1, C_in, K] or [C_out, 1, K].
        width: the annealed width, a scalar, in steps.
        taps: number of lags L; delays lie in [0, L - 1].
        interpolation: "gauss", "triangle" or "linear".
    Returns:
        [L, C_in, C_out]
    Source: DCLS-Delays, arXiv 2306.17670; the offsets and 1e-7 are those of the released `Dcls1d`.
    """
    lag = torch.arange(taps, dtype=weight.dtype, device=weight.device)
    distance = lag - delay.unsqueeze(-1)
    if interpolation == "gauss":
        g = torch.exp(-0.5 * (distance / (width.abs() + _WIDTH_OFFSET["gauss"])) ** 2)
    else:
        reach = 1.0 if interpolation == "linear" else width.abs() + _WIDTH_OFFSET["triangle"]
        g = torch.relu(reach - distance.abs())
    g = g / (g.sum(-1, keepdim=True) + 1e-7)
    return (weight.unsqueeze(-1) * g).sum(2).permute(2, 1, 0)


def delay_conv(x: Tensor, kernel: Tensor) -> Tensor:
    """y[b, t, o] = sum_{lag, i} kernel[lag, i, o] * x[b, t + L - 1 - lag, i]: a causal convolution over an input with its past.

    Args:
        x: [B, L - 1 + T, C_in], the L - 1 steps before the first output included.
        kernel: [L, C_in, C_out].
    Returns:
        [B, T, C_out]
    """
    return torch.nn.functional.conv1d(x.transpose(1, 2), kernel.flip(0).permute(2, 1, 0)).transpose(1, 2)


class DelayLinear(Stateful):
    """Linear layer with synaptic delays: x [B, T, C_in] -> y [B, T, C_out], causal. State: the last L - 1 inputs, [B, L - 1, C_in].

    The number of taps is L = max_delay_ms // dt_ms, made odd; delays lie in 0 .. L - 1 steps.

    Args:
        in_features, out_features: C_in and C_out.
        max_delay_ms: the longest delay, in ms; 0 gives a plain linear layer.
        dt_ms: the time step, in ms.
        kernel_count: K, synapses per pair of neurons.
        granularity: one delay per synapse ("synaptic"), per input ("axonal") or per output ("dendritic").
        interpolation: how a synapse spreads over taps while it trains: "gauss", "triangle" or "linear" (two taps).
        width: start of the width, in steps; by default half the taps, as published. `set_width` anneals it.
        train_delays: False keeps the delays at their random start, rounded: the fixed-random control.
    Source: Hammouamri, Khalfaoui-Hassani & Masquelier (2024), arXiv 2306.17670.
    """

    width: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        max_delay_ms: float = 250.0,
        dt_ms: float = 10.0,
        *,
        kernel_count: int = 1,
        granularity: Granularity = "synaptic",
        interpolation: Interpolation = "gauss",
        width: float | None = None,
        train_delays: bool = True,
    ):
        super().__init__()
        if in_features < 1 or out_features < 1 or kernel_count < 1:
            raise ValueError(
                f"in_features, out_features and kernel_count must be at least 1, got {in_features}, {out_features}, {kernel_count}."
            )
        if max_delay_ms < 0 or dt_ms <= 0:
            raise ValueError(f"max_delay_ms must be >= 0 and dt_ms > 0, got {max_delay_ms} and {dt_ms}.")
        expect_one_of(granularity, ("synaptic", "axonal", "dendritic"), "granularity")
        expect_one_of(interpolation, _WIDTH_OFFSET, "interpolation")
        self.in_features, self.out_features = in_features, out_features
        self.granularity, self.interpolation = granularity, interpolation
        # 1e-9: 0.3 / 0.1 must count as 3 steps.
        self.taps = int(max_delay_ms / dt_ms + 1e-9) // 2 * 2 + 1
        self.rounded = not train_delays
        half = self.taps // 2
        shape = {
            "synaptic": (out_features, in_features, kernel_count),
            "axonal": (1, in_features, kernel_count),
            "dendritic": (out_features, 1, kernel_count),
        }[granularity]
        self.weight = nn.Parameter(torch.empty(out_features, in_features, kernel_count))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")
        # Published start: position U(-L // 2, L // 2) around the centre, with Python's floor, then clamped.
        position = torch.empty(shape).uniform_(-self.taps // 2, self.taps // 2)
        delay = half - position.clamp(-half, half)
        if train_delays:
            self.delay = nn.Parameter(delay)
        else:
            self.register_buffer("delay", delay.round())
        self.register_buffer("width", torch.tensor(float(half) if width is None else float(width)))

    def kernel(self) -> Tensor:
        """The temporal kernel in use, [L, C_in, C_out]; one tap per synapse where the delays are rounded."""
        if self.rounded:
            return delay_kernel(self.weight, self.delay.round().clamp(0, self.taps - 1), torch.zeros_like(self.width), self.taps, "linear")
        args = (self.weight, self.delay, self.width, self.taps, self.interpolation)
        fused = find_kernel("delay_kernel", self.weight.device.type, *args)
        return fused.run(*args) if fused else delay_kernel(*args)

    @torch.no_grad()
    def clamp_(self) -> None:
        """Bring the delays back into 0 .. L - 1; call it after every optimiser step."""
        self.delay.clamp_(0, self.taps - 1)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.in_features)
        expect_valid(valid, x)
        steps = x.shape[1]
        past = x.new_zeros(x.shape[0], self.taps - 1, self.in_features) if state is None else state
        if valid is not None:
            # Time passes only in valid steps: move them to the front of their row, convolve, and put the results back.
            order = valid.logical_not().to(torch.uint8).argsort(dim=1, stable=True)
            x = x.masked_fill(~valid.unsqueeze(-1), 0).gather(1, order.unsqueeze(-1).expand_as(x))
        full = torch.cat([past, x], 1)
        kernel = self.kernel()
        fused = find_kernel("delay_conv", x.device.type, full, kernel)
        y = fused.run(full, kernel) if fused else delay_conv(full, kernel)
        if valid is None:
            return y, full[:, steps:]
        back = order.argsort(dim=1).unsqueeze(-1)
        y = y.gather(1, back.expand_as(y)).masked_fill(~valid.unsqueeze(-1), 0)
        last = valid.sum(1, keepdim=True) + torch.arange(self.taps - 1, device=x.device)
        return y, full.gather(1, last.unsqueeze(-1).expand(-1, -1, self.in_features))

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, taps={self.taps}, granularity={self.granularity!r}"


def delay_layers(model: nn.Module) -> list[DelayLinear]:
    """All delay layers of a model, in order."""
    return [m for m in model.modules() if isinstance(m, DelayLinear)]


@contextlib.contextmanager
def rounded(model: nn.Module) -> Iterator[None]:
    """Evaluate with integer delays, as deployed; the continuous delays are back afterwards. Nothing is written to disk."""
    layers = delay_layers(model)
    before = [layer.rounded for layer in layers]
    for layer in layers:
        layer.rounded = True
    try:
        yield
    finally:
        for layer, was in zip(layers, before, strict=True):
            layer.rounded = was


def freeze(model: nn.Module) -> nn.Module:
    """A copy of the model in evaluation mode with integer delays for good."""
    frozen = copy.deepcopy(model).eval().requires_grad_(False)
    for layer in delay_layers(frozen):
        layer.delay.copy_(layer.delay.round().clamp(0, layer.taps - 1))
        layer.rounded = True
    return frozen
