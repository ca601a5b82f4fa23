"""Recurrent connections with trained delays (DelRec, arXiv 2509.24852)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...core import State, expect, expect_dtype, expect_flag, expect_in, expect_state, expect_valid, select, zero_invalid
from ...errors import InputError
from ...neurons import Neuron
from ..recurrent import expect_neurons
from .base import Delayed, steps_within
from .gaps import without_gaps
from .linear import shifted

_BLOCK = 16
"""Steps per block. Within a block, feedback is added step by step; feedback from earlier blocks is one convolution. Forward and backward
on one core (batch 64, 96 steps, 256 neurons, 51 lags), this takes a fifth of the time of a sum over all lags at each step, and half of the
time of a single block."""


class RecurrentDelayState(NamedTuple):
    """State of the inner neurons, the last L outputs [B, L, C] (latest last), and the dropout mask of the feedback [B, C]."""

    inner: State
    sent: Tensor
    kept: Tensor


class RecurrentDelay(Delayed):
    """Recurrent connections with one delay per sending neuron: [B, T, C] -> [B, T, C].

    y_t = inner(x_t + kept * W a_t),   a_t[c] = sum_k q[c, k] y_{t-1-k}[c]
    q[c, k] = max(0, s - |k - delay[c]|) / s^2,   s = 1 + width,   k = 0 .. L - 1

    The delay adds to the minimum feedback time of one step. The part of q outside lags 0 .. L - 1 is cut off. For rounded delays, q is one
    at the delay and zero elsewhere. `kept` is a dropout mask that is constant over time.

    Args:
        inner: C neurons.
        max_delay_ms: largest delay, in ms; L = max_delay_ms // dt_ms + 1.
        dt_ms: time step, in ms.
        start_ms: standard deviation of the half-normal distribution of the initial delays, in ms.
        width: initial width of q, in steps; `anneal` narrows it to 0.95^100 of that, as published.
        dropout: probability that a neuron receives no feedback for a whole sequence, in training.
        train_delays: False keeps the random initial delays, rounded to steps.
    Source: Queant, Rancon, Cottereau & Masquelier (2025), arXiv 2509.24852, and its code.
    """

    def __init__(
        self,
        inner: Neuron,
        max_delay_ms: float = 300.0,
        dt_ms: float = 10.0,
        *,
        start_ms: float = 60.0,
        width: float = 10.0,
        dropout: float = 0.0,
        train_delays: bool = True,
    ):
        super().__init__()
        self.inner = expect_neurons(inner)
        self._max_delay_ms = expect_in(max_delay_ms, "[0, inf)", "max_delay_ms")
        self.dt_ms = expect_in(dt_ms, "(0, inf)", "dt_ms")
        self.taps = steps_within(self._max_delay_ms, self.dt_ms) + 1
        self._start_ms = expect_in(start_ms, "[0, inf)", "start_ms")
        width = expect_in(width, "[0, inf)", "width")
        self.dropout = expect_in(dropout, "[0, 1)", "dropout")
        self.first_width, self.last_width = width, width * 0.95**100
        self.register_exact("width", float(width))
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(inner.size, inner.size)))
        learned = expect_flag(train_delays, "train_delays") and self.taps > 1
        self.rounded = not learned
        delay = (torch.randn(inner.size).abs() * start_ms / dt_ms).clamp(max=self.taps - 1)
        if learned:
            self.delay = nn.Parameter(delay)
        else:
            self.register_buffer("delay", delay.round())

    def spread(self) -> Tensor:
        """Return q of the equation of the class, [C, L]."""
        if self.rounded:
            return nn.functional.one_hot(self.integer_delay(), self.taps).to(self.weight.dtype)
        lag = torch.arange(self.taps, dtype=self.weight.dtype, device=self.weight.device)
        reach = 1 + self.width
        return torch.relu(reach - (lag - self.delay.unsqueeze(1)).abs()) / reach**2

    def init_state(self, x_t: Tensor) -> RecurrentDelayState:
        """Return the initial state for inputs with the batch size, device and dtype of `x_t`, one step [B, C]."""
        kept = torch.ones_like(x_t)
        if self.training and self.dropout:
            kept = torch.empty_like(x_t).bernoulli_(1 - self.dropout) / (1 - self.dropout)
        return RecurrentDelayState(self.inner.init_state(x_t), x_t.new_zeros(x_t.shape[0], self.taps, self.inner.size), kept)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.inner.size)
        expect_valid(valid, x)
        expect_dtype(x, self.weight)
        before = self._checked(state, x[:, 0])
        if valid is None:
            return self._run(x, before, None)
        return without_gaps(lambda front, lengths: self._run(front, before, lengths), zero_invalid(x, valid), valid)

    def _run(self, x: Tensor, state: RecurrentDelayState, lengths: Tensor | None) -> tuple[Tensor, RecurrentDelayState]:
        """Compute the outputs for x [B, T, C], and the state after the first `lengths` steps (int64 [B]; None: all)."""
        q, recent, inner = self.spread(), state.sent, state.inner
        outputs: list[Tensor] = []
        kernel = nn.functional.pad(q, (1, 0)).unsqueeze(1)  # feedback takes at least one step
        for block in torch.split(x, _BLOCK, 1):
            coming = shifted(nn.functional.pad(recent, (0, 0, 0, block.shape[1])), kernel, self.taps).squeeze(3)
            for x_t in block.unbind(1):
                y, after = self.inner.step(x_t + state.kept * (coming[:, 0] @ self.weight.t()), inner)
                inner = after if lengths is None else select(len(outputs) < lengths, after, inner)
                outputs.append(y)
                coming = self._sent(coming[:, 1:], y, q)
            recent = torch.cat([recent, torch.stack(outputs[-block.shape[1] :], 1)], 1)[:, -self.taps :]
        y = torch.stack(outputs, 1)
        last = recent if lengths is None else self._before(torch.cat([state.sent, y], 1), lengths)
        return y, RecurrentDelayState(inner, last, state.kept)

    def _sent(self, coming: Tensor, y: Tensor, q: Tensor) -> Tensor:
        """Add the outputs y [B, C] of this step to the feedback of the next steps of a block, [B, N, C]."""
        reached = min(coming.shape[1], self.taps)
        if reached == 0:
            return coming
        near = torch.addcmul(coming[:, :reached], y.unsqueeze(1), q[:, :reached].t())
        return near if reached == coming.shape[1] else torch.cat([near, coming[:, reached:]], 1)

    def _before(self, line: Tensor, lengths: Tensor) -> Tensor:
        """Return the L outputs before the end of each row; the line starts with the L outputs before the first step."""
        index = lengths.unsqueeze(1) + torch.arange(self.taps, device=line.device)
        return line.gather(1, index.unsqueeze(2).expand(-1, -1, line.shape[2]))

    def _checked(self, state: State, x_t: Tensor) -> RecurrentDelayState:
        """Check a state, or return the initial one for None."""
        if state is None:
            return self.init_state(x_t)
        if not isinstance(state, RecurrentDelayState):
            raise InputError(
                f"state: expected RecurrentDelayState, got {type(state).__name__}. Pass the state returned by the previous call."
            )
        expect_state(state.sent, Tensor, torch.Size((x_t.shape[0], self.taps, self.inner.size)))
        expect_state(state.kept, Tensor, x_t.shape)
        return state

    def arguments(self) -> dict[str, Any]:
        return dict(
            inner=self.inner,
            max_delay_ms=self._max_delay_ms,
            dt_ms=self.dt_ms,
            start_ms=self._start_ms,
            width=self.first_width,
            dropout=self.dropout,
            train_delays=not self.rounded,
        )
