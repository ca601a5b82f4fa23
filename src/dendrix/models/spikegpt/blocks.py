"""The two halves of a SpikeGPT block: one mixes over time, the other over channels. Both end in spikes."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ...core import ATan, State, Stateful, expect, expect_floating, expect_state, expect_valid, scan, zero_invalid
from ...layers.activations.squared_relu import squared_relu
from ...layers.rwkv.token_shift import token_mix, token_shift
from ...layers.rwkv.wkv import WKVState, wkv
from ...neurons.lif import LIFState, lif_step

Spikes = Literal["output", "input", "none"]
"""Where the neurons stand: after each half, as published; before every matrix product; or nowhere, the continuous twin."""


def lif(x: Tensor, state: LIFState | None, valid: Tensor | None, v_threshold: float) -> tuple[Tensor, LIFState]:
    """The neuron of SpikeGPT, [B, T, C] -> spikes: tau of two tokens, input scaled, hard reset that passes gradients, ATan(2)."""
    if state is None:
        state = LIFState(torch.zeros_like(x[:, 0], dtype=torch.promote_types(x.dtype, torch.float32)))
    constants = dict(v_threshold=v_threshold, v_reset=0.0, detach_reset=False, scale_input=True, spike=ATan(2.0))
    spikes, state = scan(lif_step, x, state, valid, decay=0.5, **constants)
    return spikes, state


class ChannelMixState(NamedTuple):
    """What the half that mixes over channels remembers."""

    shift: Tensor
    """Its input at the last token, [B, d]."""
    membranes: tuple[LIFState, ...]
    """Of its neurons: one layer if they stand after it, two if they stand before its products."""


class TimeMixState(NamedTuple):
    """What the half that mixes over time remembers."""

    shift: Tensor
    """As in `ChannelMixState`."""
    membranes: tuple[LIFState, ...]
    """As in `ChannelMixState`."""
    wkv: WKVState
    """Both sums over the past."""


MixState = TimeMixState | ChannelMixState


class _Mix(Stateful):
    """What both halves share: token shift, and neurons where the configuration wants them."""

    receptance: nn.Linear

    def __init__(self, hidden: int, spikes: Spikes, v_threshold: float, scale: float):
        super().__init__()
        self.spikes, self.v_threshold, self.scale = spikes, v_threshold, scale
        if spikes == "input":  # a gated average or a sum of a few bits seldom reaches a threshold by itself
            self.norm = nn.LayerNorm(hidden)

    def shifted(self, x: Tensor, state: MixState | None, valid: Tensor | None) -> tuple[Tensor, Tensor, Tensor, list[LIFState]]:
        """x or its spikes, the same one token earlier, the next shift state, and the membranes."""
        expect(x, "B T C", C=self.receptance.in_features)
        expect_floating(x)
        expect_valid(valid, x)
        if state is not None:
            expect_state(state.shift, Tensor, x[:, 0].shape)
        x = zero_invalid(x, valid)  # an invalid NaN must not reach the gradients of the products
        membranes = []
        if self.spikes == "input":
            x, after = lif(x, state and state.membranes[0], valid, self.v_threshold)
            membranes.append(after)
        earlier, last = token_shift(x, state and state.shift, valid)
        return x, earlier, last, membranes

    def mixed(self, x: Tensor, earlier: Tensor, *shares: Tensor) -> tuple[Tensor, ...]:
        """This token and the one before it. Of spikes, each channel takes one of the two bits, so that they stay bits."""
        if self.spikes == "input":  # exactly 0 or 1, and the gradient passes straight through
            shares = tuple((share >= 0.5).to(x.dtype) + (share - share.detach()) for share in shares)
        return token_mix(x, earlier, *[share.flatten() for share in shares])

    def fired(self, x: Tensor, at: Spikes, state: MixState | None, valid: Tensor | None, membranes: list[LIFState]) -> Tensor:
        """x through neurons if they stand here, and x itself if not."""
        if self.spikes != at:
            return x
        if at == "input":
            x = self.norm(x)
        spikes, after = lif(x, state and state.membranes[-1], valid, self.v_threshold)
        membranes.append(after)
        return spikes


class TimeMix(_Mix):
    """Mixes over time, [B, T, d] -> [B, T, d]: a gated WKV.

    Args:
        width: d.
        spikes, v_threshold: see `SpikeGPTConfig`.
        scale: factor of the result before the neurons; 1 but in the released generator.
    Source: SpikeGPT (arXiv 2302.13939), the released training code.
    """

    def __init__(self, width: int, spikes: Spikes = "output", v_threshold: float = 1.0, scale: float = 1.0):
        super().__init__(width, spikes, v_threshold, scale)
        self.time_decay = nn.Parameter(torch.zeros(width))
        self.time_first = nn.Parameter(torch.zeros(width))
        self.time_mix_k, self.time_mix_v, self.time_mix_r = (nn.Parameter(torch.ones(1, 1, width)) for _ in range(3))
        self.key, self.value, self.receptance, self.output = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, state: TimeMixState | None = None, valid: Tensor | None = None) -> tuple[Tensor, TimeMixState]:
        x, earlier, last, membranes = self.shifted(x, state, valid)
        to_key, to_value, to_gate = self.mixed(x, earlier, self.time_mix_k, self.time_mix_v, self.time_mix_r)
        k, v, gate = self.key(to_key), self.value(to_value), torch.sigmoid(self.receptance(to_gate))
        average, sums = wkv(k, v, torch.exp(self.time_decay), self.time_first, state.wkv if state else None, valid)
        y = self.output(self.fired(gate * average, "input", state, valid, membranes)) * self.scale
        y = self.fired(y, "output", state, valid, membranes)
        return zero_invalid(y, valid), TimeMixState(last, tuple(membranes), sums)


class ChannelMix(_Mix):
    """Mixes over channels, [B, T, d] -> [B, T, d]: a gated layer with 4 d hidden channels, squared ReLU or spikes.

    Args:
        width, spikes, v_threshold, scale: see `TimeMix`.
    Source: SpikeGPT (arXiv 2302.13939), the released training code.
    """

    def __init__(self, width: int, spikes: Spikes = "output", v_threshold: float = 1.0, scale: float = 1.0):
        super().__init__(4 * width, spikes, v_threshold, scale)
        self.time_mix_k, self.time_mix_r = (nn.Parameter(torch.ones(1, 1, width)) for _ in range(2))
        self.key, self.value = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)
        self.receptance = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, state: ChannelMixState | None = None, valid: Tensor | None = None) -> tuple[Tensor, ChannelMixState]:
        x, earlier, last, membranes = self.shifted(x, state, valid)
        to_key, to_gate = self.mixed(x, earlier, self.time_mix_k, self.time_mix_r)
        hidden, gate = self.key(to_key), torch.sigmoid(self.receptance(to_gate))
        hidden = self.fired(hidden, "input", state, valid, membranes) if self.spikes == "input" else squared_relu(hidden)
        y = self.fired(gate * self.value(hidden) * self.scale, "output", state, valid, membranes)
        return zero_invalid(y, valid), ChannelMixState(last, tuple(membranes))


class BlockState(NamedTuple):
    """What a block remembers: 7 d numbers for each row, however long the text."""

    time: MixState
    channel: ChannelMixState


class Block(Stateful):
    """One block on the stream of floats, [B, T, d] -> [B, T, d].

    Args:
        width, spikes, v_threshold: see `SpikeGPTConfig`.
        first: whether it is the first one, which normalises the embedding.
        channel_only: whether a second channel mix stands in the place of the time mix (`ffnPre` of the release).
        dropout: probability, on the stream.
        scale: see `TimeMix`.
    """

    def __init__(
        self, width: int, spikes: Spikes, v_threshold: float, *, first: bool, channel_only: bool, dropout: float, scale: float = 1.0
    ):
        super().__init__()
        if first:
            self.ln0 = nn.LayerNorm(width)
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.before = "ffnPre" if channel_only else "att"
        self.add_module(self.before, (ChannelMix if channel_only else TimeMix)(width, spikes, v_threshold, scale))
        self.ffn = ChannelMix(width, spikes, v_threshold, scale)
        self.drop = nn.Dropout(dropout)
        self.first = first

    def forward(self, x: Tensor, state: BlockState | None = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.ln1.normalized_shape[0])
        expect_floating(x)
        expect_valid(valid, x)
        x = zero_invalid(x, valid)
        if self.first:
            x = self.ln0(x)
        y, time = self.get_submodule(self.before)(self.ln1(x), state and state.time, valid)
        x = x + y
        y, channel = self.ffn(self.ln2(x), state and state.channel, valid)
        return zero_invalid(self.drop(x + y), valid), BlockState(time, channel)
