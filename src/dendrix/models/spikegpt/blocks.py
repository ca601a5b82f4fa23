"""SpikeGPT blocks: a time mix and a channel mix, each followed by spiking neurons."""

from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from ...core import (
    State,
    Stateful,
    expect,
    expect_count,
    expect_flag,
    expect_floating,
    expect_in,
    expect_instance,
    expect_one_of,
    expect_state,
    expect_valid,
    zero_invalid,
)
from ...errors import InputError
from ...layers.activations.squared_relu import squared_relu
from ...layers.rwkv.token_shift import token_mix, token_shift
from ...layers.rwkv.wkv import WKVState, wkv
from ...neurons.lif import LIFState
from .attention import LocalAttention, LocalState
from .neurons import PUBLISHED, NeuronConfig, SpikeNeurons

Spikes = Literal["output", "input", "none"]
"""Position of the neurons: after each half of a block, as published; before every matrix product; or none (continuous network)."""


class ChannelMixState(NamedTuple):
    """State of a channel mix."""

    shift: Tensor
    """Input at the last token, [B, d]."""
    membranes: tuple[LIFState, ...]
    """States of the neurons: one layer with spikes="output"; two with "input", or one for each product that reads the stream and one more
    with separate neurons."""


class TimeMixState(NamedTuple):
    """State of a time mix."""

    shift: Tensor
    """As in `ChannelMixState`."""
    membranes: tuple[LIFState, ...]
    """As in `ChannelMixState`."""
    wkv: WKVState
    """Sums over the past."""
    local: LocalState | tuple[()] = ()
    """State of the local attention; nothing without one."""


MixState = TimeMixState | ChannelMixState


class _Mix(Stateful):
    """Base class of both halves: token shift, and neurons at the configured position."""

    receptance: nn.Linear
    readers: ClassVar[tuple[str, ...]]
    """Names of the products that read the stream, in the order of their shares of the token shift."""
    last: ClassVar[str]
    """Name of the product behind the last neurons."""

    def __init__(self, width: int, hidden: int, spikes: Spikes, v_threshold: float, scale: float, neurons: NeuronConfig):
        super().__init__()
        self.spikes: Spikes = expect_one_of(spikes, get_args(Spikes), "spikes")  # type: ignore[assignment]
        self.v_threshold = expect_in(v_threshold, "(0, inf)", "v_threshold")
        self.scale = expect_in(scale, "(0, inf)", "scale")
        if spikes == "input":  # without normalisation, a gated average or a sum of few bits rarely reaches the threshold
            self.norm = nn.LayerNorm(hidden)
        norm = expect_instance(neurons, NeuronConfig, "neurons").norm and spikes == "output"
        self.separate = neurons.separate and spikes == "input"
        sizes = {"input": (width,) * (len(self.readers) if self.separate else 1) + (hidden,), "output": (width,), "none": ()}[spikes]
        self.neurons = nn.ModuleList(SpikeNeurons(size, v_threshold, neurons, norm) for size in sizes)

    def neurons_before(self, product: str) -> SpikeNeurons:
        """Return the neurons whose spikes a product reads, with spikes="input".

        Args:
            product: its name; those without neurons of their own read what the key reads.
        """
        index = -1 if product == self.last else self.readers.index(product) if self.separate and product in self.readers else 0
        found = self.neurons[index]
        assert isinstance(found, SpikeNeurons)
        return found

    def mixtures(
        self, x: Tensor, state: MixState | None, valid: Tensor | None, *shares: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor, list[LIFState]]:
        """Return the inputs of the products that read the stream, the next shift state, and the states of the neurons before them.

        They are mixtures of this token with the previous one, one for each share. Of spikes, each channel selects one of the two bits, so
        that the result is binary; separate neurons fire behind the mixture.
        """
        expect(x, "B T C", C=self.receptance.in_features)
        expect_floating(x)
        expect_valid(valid, x)
        if state is not None:
            expect_state(state.shift, Tensor, x[:, 0].shape)
            if len(state.membranes) != len(self.neurons):
                expected, got = len(self.neurons), len(state.membranes)
                raise InputError(f"state: expected {expected} groups of neurons in each half, got {got}. Is it of another model?")
        x = zero_invalid(x, valid)  # a NaN at an invalid step must not reach the gradients of the products
        membranes: list[LIFState] = []

        def fire(x: Tensor) -> Tensor:
            spikes: Tensor
            index = len(membranes)
            spikes, after = self.neurons[index](x, state and state.membranes[index], valid)
            membranes.append(after)
            return spikes

        if self.spikes == "input" and not self.separate:
            x = fire(x)  # the shares are exactly 0 or 1, with a straight-through gradient
            shares = tuple((share >= 0.5).to(x.dtype) + (share - share.detach()) for share in shares)
        earlier, last = token_shift(x, state and state.shift, valid)
        mixed = token_mix(x, earlier, *[share.flatten() for share in shares])
        return tuple(map(fire, mixed)) if self.separate else mixed, last, membranes

    def scaled(self, y: Tensor) -> Tensor:
        """Multiply the result; a product with 1 would read and write all of it, forward and backward."""
        return y if self.scale == 1 else y * self.scale

    def fired(self, x: Tensor, at: Spikes, state: MixState | None, valid: Tensor | None, membranes: list[LIFState]) -> Tensor:
        """Apply the neurons to x if they are at the position `at`; otherwise return x."""
        if self.spikes != at:
            return x
        if at == "input":
            x = self.norm(x)
        spikes: Tensor
        spikes, after = self.neurons[-1](x, state and state.membranes[-1], valid)
        membranes.append(after)
        return spikes


def expect_rank(decay_rank: int, width: int) -> int:
    """Return the rank of a decay that depends on the data, checked.

    Raises:
        InputError: it is larger than the width.
    """
    if expect_count(decay_rank, "[0, inf)", "decay_rank") > width:
        raise InputError(f"decay_rank: expected at most the width, {width}, got {decay_rank}. Lower it.")
    return decay_rank


def expect_window(window: int) -> int:
    """Return the window of a local attention, checked.

    Raises:
        InputError: it is neither 0 nor 2 to 1,024.
    """
    if expect_count(window, "[0, 1024]", "window") == 1:
        raise InputError("window: expected 0 for no local attention, or at least 2 tokens, got 1. Raise it.")
    return window


_FASTEST = 4.0
"""Largest logarithm of a decay rate that depends on the data: exp(-exp(4)) is 2e-24, and without a limit the rate could become infinite."""


class TimeMix(_Mix):
    """Time mix, [B, T, d] -> [B, T, d]: a gated WKV.

    With `decay_rank`, a channel of WKV decays at a step by exp(-exp(time_decay + decay_up(tanh(decay_down(x))))), where x is the input of
    the key. With `window`, a local attention with the same values is added to the average of WKV.

    Args:
        width: number of channels, d.
        spikes, v_threshold: as in `SpikeGPTConfig`.
        scale: factor of the result before the neurons; 1 except in the released generator.
        neurons, decay_rank, window: as in `SpikeGPTConfig`.
    Source: released training code of SpikeGPT (arXiv 2302.13939). Decay that depends on the data: ours, after the idea of RWKV-6
        (arXiv 2404.05892).
    """

    readers, last = ("key", "receptance", "value"), "output"

    def __init__(
        self,
        width: int,
        spikes: Spikes = "output",
        v_threshold: float = 1.0,
        scale: float = 1.0,
        neurons: NeuronConfig = PUBLISHED,
        decay_rank: int = 0,
        window: int = 0,
    ):
        expect_count(width, "[1, inf)", "width")
        super().__init__(width, width, spikes, v_threshold, scale, neurons)
        self.time_decay = nn.Parameter(torch.zeros(width))
        self.time_first = nn.Parameter(torch.zeros(width))
        self.time_mix_k, self.time_mix_v, self.time_mix_r = (nn.Parameter(torch.ones(1, 1, width)) for _ in range(3))
        self.key, self.value, self.receptance, self.output = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.decay_rank, self.window = expect_rank(decay_rank, width), expect_window(window)
        if decay_rank:
            self.decay_down, self.decay_up = nn.Linear(width, decay_rank, bias=False), nn.Linear(decay_rank, width, bias=False)
            nn.init.zeros_(self.decay_up.weight)  # the published decay at the start of training
        if window:
            self.local = LocalAttention(width, window, neurons.alpha, spiking=spikes != "none")

    def forward(self, x: Tensor, state: TimeMixState | None = None, valid: Tensor | None = None) -> tuple[Tensor, TimeMixState]:
        shares = self.time_mix_k, self.time_mix_r, self.time_mix_v
        (to_key, to_gate, to_value), last, membranes = self.mixtures(x, state, valid, *shares)
        k, v, gate = self.key(to_key), self.value(to_value), torch.sigmoid(self.receptance(to_gate))
        average, sums = wkv(k, v, self._rate(to_key), self.time_first, state.wkv if state else None, valid)
        local: LocalState | tuple[()] = ()
        if self.window:
            attended, local = self.local(to_key, state.local if state else None, valid, v)
            average = average + attended
        elif state and state.local:
            raise InputError("state: expected one without local attention, got one with. Is it of another model?")
        y = self.scaled(self.output(self.fired(gate * average, "input", state, valid, membranes)))
        y = self.fired(y, "output", state, valid, membranes)
        return zero_invalid(y, valid), TimeMixState(last, tuple(membranes), sums, local)

    def _rate(self, x: Tensor) -> Tensor:
        """Return the decay rates, [d], or [B, T, d] if they depend on the data x."""
        if not self.decay_rank:
            return torch.exp(self.time_decay)
        return torch.exp((self.time_decay + self.decay_up(torch.tanh(self.decay_down(x)))).clamp_max(_FASTEST))


class ChannelMix(_Mix):
    """Channel mix, [B, T, d] -> [B, T, d]: a gated layer with 4 d hidden channels and squared ReLU or spikes.

    Args:
        width, spikes, v_threshold, scale, neurons: as in `TimeMix`.
    Source: released training code of SpikeGPT (arXiv 2302.13939).
    """

    readers, last = ("key", "receptance"), "value"

    def __init__(
        self,
        width: int,
        spikes: Spikes = "output",
        v_threshold: float = 1.0,
        scale: float = 1.0,
        neurons: NeuronConfig = PUBLISHED,
    ):
        expect_count(width, "[1, inf)", "width")
        super().__init__(width, 4 * width, spikes, v_threshold, scale, neurons)
        self.time_mix_k, self.time_mix_r = (nn.Parameter(torch.ones(1, 1, width)) for _ in range(2))
        self.key, self.value = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)
        self.receptance = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, state: ChannelMixState | None = None, valid: Tensor | None = None) -> tuple[Tensor, ChannelMixState]:
        (to_key, to_gate), last, membranes = self.mixtures(x, state, valid, self.time_mix_k, self.time_mix_r)
        hidden, gate = self.key(to_key), torch.sigmoid(self.receptance(to_gate))
        hidden = self.fired(hidden, "input", state, valid, membranes) if self.spikes == "input" else squared_relu(hidden)
        y = self.fired(self.scaled(gate * self.value(hidden)), "output", state, valid, membranes)
        return zero_invalid(y, valid), ChannelMixState(last, tuple(membranes))


class BlockState(NamedTuple):
    """State of a block: 7 d values per row with spikes="output", independent of the length of the text."""

    time: MixState
    channel: ChannelMixState


class Block(Stateful):
    """Residual block, [B, T, d] -> [B, T, d].

    Args:
        width, spikes, v_threshold: as in `SpikeGPTConfig`.
        first: True for the first block, which normalises the embedding.
        channel_only: use a second channel mix instead of the time mix (`ffnPre` of the release).
        dropout: dropout probability of the residual stream.
        scale, neurons, decay_rank, window: as in `TimeMix`.
    """

    def __init__(
        self,
        width: int,
        spikes: Spikes,
        v_threshold: float,
        *,
        first: bool,
        channel_only: bool,
        dropout: float,
        scale: float = 1.0,
        neurons: NeuronConfig = PUBLISHED,
        decay_rank: int = 0,
        window: int = 0,
    ):
        super().__init__()
        expect_count(width, "[1, inf)", "width")
        if expect_flag(first, "first"):
            self.ln0 = nn.LayerNorm(width)
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.before = "ffnPre" if expect_flag(channel_only, "channel_only") else "att"
        shared = width, spikes, v_threshold, scale, neurons
        self.add_module(self.before, ChannelMix(*shared) if channel_only else TimeMix(*shared, decay_rank, window))
        self.ffn = ChannelMix(*shared)
        self.drop = nn.Dropout(expect_in(dropout, "[0, 1)", "dropout"))
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
