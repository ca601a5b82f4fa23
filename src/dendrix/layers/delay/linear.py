"""Linear layer with trained delays (DCLS-Delays, arXiv 2306.17670)."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...core import (
    State,
    expect,
    expect_count,
    expect_dtype,
    expect_flag,
    expect_in,
    expect_one_of,
    expect_state,
    expect_valid,
    find_kernel,
    zero_invalid,
)
from ...core.numbers import GAUSS_LEAST, GAUSS_NARROWEST
from ...errors import InputError
from .base import Delayed, steps_within
from .gaps import without_gaps

Granularity = Literal["synaptic", "axonal", "dendritic"]
Interpolation = Literal["gauss", "triangle", "linear"]
Padding = Literal["causal", "published"]

_NARROWEST = {"gauss": GAUSS_NARROWEST, "triangle": 1.0, "linear": 1.0}
"""Offset that the published layer adds to |SIG|. The narrowest triangle covers one step on each side."""


def spread(delay: Tensor, width: Tensor, taps: int, interpolation: str) -> Tensor:
    """Interpolate delays over the neighbouring lags, which makes them differentiable.

    s = |width| + 0.27 (gauss) or |width| + 1 (triangle) or 1 (linear, two taps)
    g[lag] = exp(-((lag - delay) / s)^2 / 2)  or  max(0, s - |lag - delay|)
    q[lag] = g[lag] / (sum_lag g[lag] + 1e-7)

    Args:
        delay: in steps, [...].
        width: in steps, a scalar or with the shape of the delay.
        taps: number of lags L; delays lie in [0, L - 1].
        interpolation: "gauss", "triangle" or "linear".
    Returns:
        q, [..., L], which sums to 1 over the lags, also near the borders.
    Source: DCLS-Delays, arXiv 2306.17670; the offsets and 1e-7 are those of the released `Dcls1d` ('gauss', 'max', 'v1').
    """
    lag = torch.arange(taps, dtype=delay.dtype, device=delay.device)
    distance = lag - delay.unsqueeze(-1)
    reach = _NARROWEST[interpolation] + (0 if interpolation == "linear" else width.abs().unsqueeze(-1))
    g = torch.exp(-0.5 * (distance / reach) ** 2) if interpolation == "gauss" else torch.relu(reach - distance.abs())
    return g / (g.sum(-1, keepdim=True) + GAUSS_LEAST)


def delay_kernel(weight: Tensor, delay: Tensor, width: Tensor, taps: int, interpolation: str) -> Tensor:
    """Compute the temporal kernel of a delay layer: kernel[lag, i, o] = sum_k weight[o, i, k] * q[o, i, k, lag], q as in `spread`.

    Args:
        weight: [C_out, C_in, K].
        delay: in steps, [C_out, C_in, K], or [1, C_in, K] (axonal) or [C_out, 1, K] (dendritic).
        width: in steps, a scalar or with the shape of the delay.
        taps: number of lags L.
        interpolation: "gauss", "triangle" or "linear".
    Returns:
        [L, C_in, C_out]
    """
    return (weight.unsqueeze(-1) * spread(delay, width, taps, interpolation)).sum(2).permute(2, 1, 0)


def delay_conv(x: Tensor, kernel: Tensor, past: int = 0) -> Tensor:
    """Compute the causal convolution y[b, t, o] = sum_{lag, i} kernel[lag, i, o] * x[b, past + t - lag, i], with x zero before its start.

    Args:
        x: [B, past + T, C_in].
        kernel: [L, C_in, C_out].
        past: number of steps of `x` before the first output, at most L - 1.
    Returns:
        [B, T, C_out]
    """
    padded = nn.functional.pad(x, (0, 0, len(kernel) - 1 - past, 0)).transpose(1, 2)
    return nn.functional.conv1d(padded, _reversed(kernel, 0).permute(2, 1, 0)).transpose(1, 2)


def delay_shift(x: Tensor, taps: Tensor, past: int = 0) -> Tensor:
    """Compute the depthwise convolution y[b, t, c, k] = sum_lag taps[c, k, lag] * x[b, past + t - lag, c], with x zero before its start.

    Args:
        x: [B, past + T, C].
        taps: [C, K, L].
        past: number of steps of `x` before the first output, at most L - 1.
    Returns:
        [B, T, C, K]
    """
    channels, count, length = taps.shape
    padded = nn.functional.pad(x, (0, 0, length - 1 - past, 0)).transpose(1, 2)
    y = nn.functional.conv1d(padded, _reversed(taps, 2).flatten(0, 1).unsqueeze(1), groups=channels)
    return y.transpose(1, 2).reshape(x.shape[0], -1, channels, count)


def _reversed(x: Tensor, axis: int) -> Tensor:
    # Not `flip`: torch.compile (2.13, CPU) fuses its gradient with the sums of `spread` into a kernel with wrong results.
    return x.index_select(axis, torch.arange(x.shape[axis] - 1, -1, -1, device=x.device))


def shifted(x: Tensor, taps: Tensor, past: int = 0) -> Tensor:
    """Compute `delay_shift`, by a kernel if one is available."""
    fused = find_kernel("delay_shift", x.device.type, x, taps, past)
    moved: Tensor = fused.run(x, taps, past) if fused else delay_shift(x, taps, past)
    return moved


class DelayLinear(Delayed):
    """Linear layer with delays: x [B, T, C_in] -> y [B, T, C_out], causal. State: the last L - 1 inputs, [B, L - 1, C_in].

    Delays are in 0 .. L - 1 steps, where L is max_delay_ms // dt_ms rounded to an odd number. Dendritic delays are applied after the sum
    over the inputs; their state is the last L - 1 sums, [B, L - 1, C_out * K].

    Args:
        in_features, out_features: C_in and C_out.
        max_delay_ms: largest delay, in ms; 0 gives a linear layer without delays.
        dt_ms: time step, in ms.
        kernel_count: K, number of synapses per pair of neurons.
        granularity: one delay per synapse, per input neuron ("axonal") or per output neuron ("dendritic").
        interpolation: interpolation of delays over time steps during training, see `spread`.
        width: initial width of the interpolation, in steps; by default half the taps, as published. `anneal` narrows it.
        train_delays: False keeps the random initial delays, rounded to steps, as a control.
        padding: "published" appends (L - 1) // 2 zero steps, as in each layer of the published network. T then grows, and neither a state
            nor `valid` is supported.
    Source: Hammouamri, Khalfaoui-Hassani & Masquelier (2024), arXiv 2306.17670.
    """

    last_width = 0.23
    input_density: float | None = None
    """Expected fraction of nonzero inputs, which affects the speed and not the result. None: measured when needed."""

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
        padding: Padding = "causal",
    ):
        super().__init__()
        self.in_features = in_features = expect_count(in_features, "[1, inf)", "in_features")
        self.out_features = out_features = expect_count(out_features, "[1, inf)", "out_features")
        kernel_count = expect_count(kernel_count, "[1, inf)", "kernel_count")
        self._max_delay_ms = expect_in(max_delay_ms, "[0, inf)", "max_delay_ms")
        self.dt_ms = expect_in(dt_ms, "(0, inf)", "dt_ms")
        self.taps = steps_within(self._max_delay_ms, self.dt_ms) // 2 * 2 + 1
        self.granularity = expect_one_of(granularity, ("synaptic", "axonal", "dendritic"), "granularity")
        self.interpolation = expect_one_of(interpolation, _NARROWEST, "interpolation")
        self.padding = expect_one_of(padding, ("causal", "published"), "padding")
        learned = expect_flag(train_delays, "train_delays") and self.taps > 1
        self.rounded = not learned
        half = self.taps // 2
        self.first_width = float(half if width is None else expect_in(width, "[0, inf)", "width"))
        self.register_exact("width", self.first_width)
        self.weight = nn.Parameter(torch.empty(out_features, in_features, kernel_count))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")
        # Published initialisation: position U(-L // 2, L // 2) around the centre, with floor division, then clamped.
        shape = (1 if granularity == "axonal" else out_features, 1 if granularity == "dendritic" else in_features, kernel_count)
        position = torch.empty(shape).uniform_(-self.taps // 2, self.taps // 2)
        delay = half - position.clamp(-half, half)
        if learned:
            self.delay = nn.Parameter(delay)
        else:
            self.register_buffer("delay", delay.round())

    def _whole(self, delay: Tensor) -> Tensor:
        half = self.taps // 2
        return (half - delay).round_().neg_().add_(half)  # ties as published: the distance from the centre is rounded half to even

    def kernel(self) -> Tensor:
        """Return the current temporal kernel, [L, C_in, C_out], with one lag per synapse if the delays are rounded."""
        if self.rounded:
            lags = self.integer_delay().expand_as(self.weight).permute(2, 1, 0)
            empty = self.weight.new_zeros(self.taps, self.in_features, self.out_features)
            return empty.scatter_add(0, lags, self._weight_in_use().permute(2, 1, 0))
        args = (self.weight, self.delay, self.width, self.taps, self.interpolation)
        fused = find_kernel("delay_kernel", self.weight.device.type, *args)
        built: Tensor = fused.run(*args) if fused else delay_kernel(*args)
        return built

    def _weight_in_use(self) -> Tensor:
        """Return the weights. For rounded delays, a normalised Gaussian on one tap gives W / (1 + 1e-7).

        The factor is applied in float64 only. In float32 it would change the last bit of trained networks.
        """
        one_tap = self.rounded and self.taps > 1 and self.weight.dtype == torch.float64
        return self.weight / (1 + GAUSS_LEAST) if one_tap else self.weight

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.in_features)
        expect_valid(valid, x)
        expect_dtype(x, self.weight)
        if self.padding == "published":
            if state is not None or valid is not None:
                raise InputError(
                    "padding: expected 'causal' for a state or a valid mask, got 'published', which supports neither. Use padding='causal'."
                )
            y, _ = self._run(nn.functional.pad(x, (0, 0, 0, self.taps // 2)), None, None)
            return y, ()
        if valid is None:
            return self._run(x, state, None)
        x = zero_invalid(x, valid)
        if _at_the_front(valid):
            y, state = self._run(x, state, valid.sum(1))
            return zero_invalid(y, valid), state
        return without_gaps(lambda front, lengths: self._run(front, state, lengths), x, valid)

    def _run(self, x: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Compute the outputs for x [B, T, C_in], and the state after the first `lengths` steps (int64 [B]; None: all)."""
        line = self._dendrites(x) if self.granularity == "dendritic" else x
        if state is not None:
            expect_state(state, Tensor, torch.Size((x.shape[0], self.taps - 1, line.shape[2])))
            line = torch.cat([state, line], 1)
        return self._delayed(line, past=0 if state is None else self.taps - 1), self._last(line, x.shape[1], lengths)

    def _dendrites(self, x: Tensor) -> Tensor:
        """Compute the sum over the inputs of each dendrite, [B, T, C_out * K]."""
        return x @ self._weight_in_use().transpose(0, 1).flatten(1)

    def _delayed(self, line: Tensor, past: int) -> Tensor:
        """Compute the outputs from the delayed signals, [B, past + T, C_in or C_out * K]."""
        if self.granularity == "synaptic":
            return self._synaptic(line, past)
        if self.rounded:
            taps = nn.functional.one_hot(self.integer_delay(), self.taps).to(line.dtype)
        else:
            taps = spread(self.delay, self.width, self.taps, self.interpolation)
        if self.granularity == "axonal":
            return shifted(line, taps[0], past).flatten(2) @ self._weight_in_use().flatten(1).t()
        each = shifted(line, taps.flatten(0, 2).unsqueeze(1), past)
        return each.reshape(*each.shape[:2], self.out_features, -1).sum(-1)

    def _synaptic(self, line: Tensor, past: int) -> Tensor:
        device = line.device.type
        if self.rounded:
            integer = (line, self._weight_in_use(), self.integer_delay(torch.int32), self.taps, past, self.input_density)
            if direct := find_kernel("delay_integer", device, *integer):
                exact: Tensor = direct.run(*integer)
                return exact
        kernel = self.kernel()
        fused = find_kernel("delay_conv", device, line, kernel, past, self.input_density)
        spread_out: Tensor = fused.run(line, kernel, past, self.input_density) if fused else delay_conv(line, kernel, past)
        return spread_out

    def _last(self, line: Tensor, steps: int, lengths: Tensor | None) -> Tensor:
        """Return the last L - 1 steps of the line, or those before the end of each row given by `lengths`."""
        window = self.taps - 1
        missing = window + steps - line.shape[1]  # zero steps before the line
        if lengths is None:
            kept = line[:, max(steps - missing, 0) :]
            return nn.functional.pad(kept, (0, 0, missing - steps, 0)) if missing > steps else kept.clone()
        index = lengths.unsqueeze(1) + torch.arange(-missing, window - missing, device=line.device)
        kept = line.gather(1, index.clamp_min(0).unsqueeze(-1).expand(-1, -1, line.shape[2]))
        return kept.masked_fill((index < 0).unsqueeze(-1), 0) if missing else kept

    def arguments(self) -> dict[str, Any]:
        return dict(
            in_features=self.in_features,
            out_features=self.out_features,
            max_delay_ms=self._max_delay_ms,
            dt_ms=self.dt_ms,
            kernel_count=self.weight.shape[2],
            granularity=self.granularity,
            interpolation=self.interpolation,
            width=None if self.first_width == self.taps // 2 else self.first_width,
            train_delays=not self.rounded,
            padding=self.padding,
        )


def _at_the_front(valid: Tensor) -> bool:
    """Return whether invalid steps occur only at the ends of rows; False under torch.compile, which cannot branch on values."""
    return not torch.compiler.is_compiling() and bool((valid[:, 1:] <= valid[:, :-1]).all())
