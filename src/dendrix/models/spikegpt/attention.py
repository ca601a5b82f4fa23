"""Local attention of a time mix: a few heads over the last tokens, each switched on by a spike."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...core import Stateful, expect, expect_count, expect_flag, expect_floating, expect_valid, find_kernel, zero_invalid
from ...errors import InputError
from ...neurons.lif import LIFState
from .neurons import NeuronConfig, SpikeNeurons

HEADS, QUERY = 4, 16
"""Largest number of heads, and size of their queries and keys."""
_BIAS = 1.0
"""Initial drive of a gate: the threshold. Gates that never fire would pass little gradient to what they gate."""


def head_count(width: int) -> int:
    """Return the number of heads for `width` channels."""
    return math.gcd(HEADS, width)


class LocalState(NamedTuple):
    """State of a local attention of W tokens, of constant size."""

    keys: Tensor
    """Keys of the last W - 1 valid tokens, [B, W - 1, H q]; zeros before the first token."""
    values: Tensor
    """Their values, [B, W - 1, d]."""
    gate: LIFState | tuple[()]
    """State of the gates, [B, H]; nothing without spikes."""


class LocalAttention(Stateful):
    """Local attention gated by spikes, [B, T, d] -> [B, T, d].

    y_t = g_t sum_a softmax_a(q_t . k_{t-a} / sqrt(16) + bias_a) v_{t-a} for each head, over the ages a = 0 ... W - 1

    Queries, keys and the currents of the gates g are products with x. A gate is a neuron for each head: where it is silent, its head is
    zero and needs no query, score or sum. Where it fires, a head of d / H channels takes W (16 + d / H) multiplications and W
    exponentials, which is W (16 H / d + 1) for each of the d channels if all gates fire. Tokens before the first one count as keys and
    values of zero, as in the token shift.

    Args:
        width: number of channels, d.
        window: number of tokens that a token reads, itself included, W.
        alpha: sharpness of the surrogate of the gates.
        spiking: False for gates between 0 and 1, the sigmoids of their currents, as for a network without spikes.
    Source: ours.
    """

    def __init__(self, width: int, window: int, alpha: float = 2.0, spiking: bool = True):
        super().__init__()
        self.width, self.window = expect_count(width, "[1, inf)", "width"), expect_count(window, "[2, 1024]", "window")
        self.heads = head_count(width)
        self.query, self.key = (nn.Linear(width, self.heads * QUERY, bias=False) for _ in range(2))
        self.current = nn.Linear(width, self.heads)
        nn.init.constant_(self.current.bias, _BIAS)
        self.age = nn.Parameter(torch.zeros(self.heads, window))
        self.alpha = alpha
        self.gate = SpikeNeurons(self.heads, 1.0, NeuronConfig(alpha=alpha)) if expect_flag(spiking, "spiking") else None

    def forward(
        self, x: Tensor, state: LocalState | None = None, valid: Tensor | None = None, v: Tensor | None = None
    ) -> tuple[Tensor, LocalState]:
        """Compute the gated averages.

        Args:
            x: input, spikes or numbers, [B, T, d].
            state: state after the previous tokens; None starts new texts.
            valid: bool [B, T]; an invalid step gives zero, changes no state and is read by none. None: all steps are valid.
            v: values, [B, T, d]; None takes x itself.
        Raises:
            InputError, InputTypeError: a shape or dtype does not match.
        """
        expect(x, "B T C", C=self.width)
        expect_floating(x)
        v = x if v is None else v
        expect(v, "B T C", "v", B=x.shape[0], T=x.shape[1], C=self.width)
        expect_floating(v, "v")
        expect_valid(valid, x)
        state = self._rest(x) if state is None else self._expected(state, x.shape[0])
        kept = state.values.dtype
        x, v = zero_invalid(x, valid), zero_invalid(v, valid)
        gates, after = self._gates(x, state, valid)
        q, k, values = self.query(x).to(kept), self.key(x).to(kept), v.to(kept)
        if valid is not None:  # valid tokens first, so that ages count them alone
            order = torch.argsort(~valid, dim=1, stable=True)
            q, k, values, gates = (_taken(part, order) for part in (q, k, values, gates))
        keys, values = torch.cat([state.keys, k], 1), torch.cat([state.values, values], 1)
        y = self._averages(q, keys, values, gates.to(kept))
        count = torch.full_like(x[:, 0, 0], x.shape[1], dtype=torch.int64) if valid is None else valid.sum(1)
        last = count.unsqueeze(1) + torch.arange(self.window - 1, device=x.device)
        if valid is not None:
            y = zero_invalid(_taken(y, torch.argsort(order, 1)), valid)
        return y.to(v.dtype), LocalState(_taken(keys, last), _taken(values, last), after)

    def _rest(self, x: Tensor) -> LocalState:
        kept = torch.promote_types(x.dtype, torch.float32)
        keys, values = (x.new_zeros(len(x), self.window - 1, size, dtype=kept) for size in (self.heads * QUERY, self.width))
        return LocalState(keys, values, LIFState(x.new_zeros(len(x), self.heads, dtype=kept)) if self.gate else ())

    def _expected(self, state: LocalState, batch: int) -> LocalState:
        """Refuse a state of another attention or batch."""
        shapes = [list(part.shape) for part in state[:2]]
        expected = [[batch, self.window - 1, size] for size in (self.heads * QUERY, self.width)]
        if shapes != expected:
            raise InputError(
                f"state: expected keys and values of shapes {expected}, got {shapes}. Pass the state returned by the previous call."
            )
        if (self.gate is None) != (not state.gate):
            wanted, got = ("without", "with") if self.gate is None else ("with", "without")
            raise InputError(f"state: expected one {wanted} spiking gates, got one {got}. Pass the state returned by the previous call.")
        return state

    def _gates(self, x: Tensor, state: LocalState, valid: Tensor | None) -> tuple[Tensor, LIFState | tuple[()]]:
        """Return the gates, [B, T, H], and their next state."""
        current = self.current(x)
        if self.gate is None:
            return torch.sigmoid(current), ()
        gates: Tensor
        gates, after = self.gate(current, state.gate, valid)
        return gates, after

    def _averages(self, q: Tensor, keys: Tensor, values: Tensor, gates: Tensor) -> Tensor:
        """Return the gated averages [B, T, d], in blocks of W queries, which read 2 W - 1 tokens each."""
        if fused := find_kernel("local_attention", q.device.type, q, keys, values, self.age, gates, QUERY**-0.5):
            attended: Tensor = fused.run(q, keys, values, self.age, gates, QUERY**-0.5)
            return attended
        (batch, steps, _), window = q.shape, self.window
        blocks = -(-steps // window)
        missing = blocks * window - steps
        q, keys, values = (nn.functional.pad(part, (0, 0, 0, missing)) for part in (q, keys, values))
        q = q.view(batch, blocks, window, self.heads, QUERY)
        # [B, blocks, H, ., 2 W - 1]
        read_keys, read_values = (self._by_head(part).unfold(1, 2 * window - 1, window) for part in (keys, values))
        ages = torch.arange(window, device=q.device).unsqueeze(1) + window - 1 - torch.arange(2 * window - 1, device=q.device)
        bias = self.age[:, ages.clamp(0, window - 1)].to(q.dtype).masked_fill((ages < 0) | (ages >= window), -torch.inf)
        scores = torch.einsum("bnwhq,bnhqs->bnhws", q, read_keys) / math.sqrt(QUERY) + bias
        found = torch.einsum("bnhws,bnhcs->bnwhc", scores.softmax(-1), read_values)
        return (found.reshape(batch, blocks * window, self.heads, -1)[:, :steps] * gates.unsqueeze(3)).flatten(2)

    def _by_head(self, x: Tensor) -> Tensor:
        """Divide the channels of x [B, T, C] among the heads, [B, T, H, C / H]."""
        return x.reshape(*x.shape[:2], self.heads, x.shape[2] // self.heads)


def _taken(x: Tensor, index: Tensor) -> Tensor:
    """Return the steps `index`, [B, N], of x [B, T, C]."""
    return x.gather(1, index.unsqueeze(2).expand(-1, -1, x.shape[2]))
