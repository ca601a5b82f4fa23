"""SpikeGPT: a recurrent spiking language model with a state of constant size instead of a key-value cache."""

from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn

from ...core import ATan, State, Stateful, expect, expect_fields, expect_flag, expect_instance, expect_one_of, expect_valid, zero_invalid
from ...errors import InputError, InputTypeError
from .blocks import Block, Spikes, expect_rank, expect_window
from .initialisation import Start, start, start_head
from .neurons import PUBLISHED, NeuronConfig

_EVERY_HALVED = 6


@dataclass(frozen=True)
class SpikeGPTConfig:
    """Configuration of a `SpikeGPT`. The defaults are the published network of 46 million parameters, without its vocabulary.

    Raises:
        InputError: a field is out of range.
    """

    vocab_size: int
    """Size of the vocabulary, V."""
    width: int = 512
    """Number of channels of the residual stream, d."""
    layers: int = 12
    """Number of blocks, L."""
    spikes: Spikes = "output"
    """Position of the neurons. "output": after each half of a block, as published. "input": after a norm and before every matrix product of
    a block, whose inputs are then binary. "none": the same network without spikes."""
    start: Start = "pytorch"
    """Weight initialisation: "pytorch", as applied by the released training code, or "rwkv", as intended by it."""
    channel_first: bool = False
    """Use a second channel mix instead of the time mix in the first block (`RWKV-ffnPre` of the release)."""
    dropout: float = 0.03
    """Dropout probability of the residual stream, after each block."""
    v_threshold: float = 1.0
    """Threshold of all neurons; checkpoints from before March 2023 need 0.1."""
    binary_embedding: bool = True
    """Binarise the embeddings. The released generator uses floats, unlike the released training code."""
    halve_stream: bool = False
    """Halve the residual stream after every sixth block, as the released generator does. This changes the result for more than six blocks,
    because the neurons are not scale-invariant."""
    neurons: NeuronConfig = PUBLISHED
    """Kind of neurons; by default those of the published network."""
    decay_rank: int = 0
    """Rank of the part of WKV's decay that depends on the data, such as 16; 0 for the published decay, one constant per channel."""
    window: int = 0
    """Tokens that a local attention beside WKV reads, such as 16; 0 for none, as published. Each of its heads is switched on by a spike, or
    scaled by a sigmoid with spikes="none"."""

    def __post_init__(self) -> None:
        expect_one_of(self.spikes, get_args(Spikes), "spikes")
        expect_one_of(self.start, get_args(Start), "start")
        expect_fields(self, whole=("vocab_size", "width", "layers"), vocab_size="[1, inf)", width="[2, inf)", layers="[0, inf)")
        expect_fields(self, dropout="[0, 1)", v_threshold="(0, inf)")
        for name in ("channel_first", "binary_embedding", "halve_stream"):
            expect_flag(getattr(self, name), name)
        expect_instance(self.neurons, NeuronConfig, "neurons")
        if self.spikes == "none" and self.neurons != PUBLISHED:
            raise InputError('neurons: expected none to be described, because spikes="none" has no neurons. Leave them at their defaults.')
        if self.neurons.separate and self.spikes != "input":
            raise InputError(f'separate: expected False with spikes="{self.spikes}", without neurons before products. Leave it out.')
        if self.neurons.norm and self.spikes == "input":
            raise InputError('norm: expected False with spikes="input", whose neurons have norms before them already. Leave it out.')
        expect_rank(self.decay_rank, self.width)
        expect_window(self.window)
        if self.layers == int(self.channel_first) and (own := self._time_mix):
            raise InputError(f"model: expected a block with a time mix for {own}, got none. Add layers, or leave it out.")

    def expect_published(self, where: str, *folded: str) -> None:
        """Refuse a network with neurons, a decay or an attention other than the published ones.

        Args:
            where: what knows only the published ones, for the error message.
            folded: names of fields of the neurons that do not matter there.
        Raises:
            InputError: one of them is another.
        """
        self.neurons.expect_published(where, *folded)
        if own := self._time_mix:
            raise InputError(f"model: expected the published time mix for {where}, got {own}. Call the network itself, or train without.")

    @property
    def _time_mix(self) -> str:
        """Fields of the time mix that differ from the published one, for error messages."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in ("decay_rank", "window") if getattr(self, name))

    def build(self) -> "SpikeGPT":
        """Create the network with initial weights."""
        return SpikeGPT(self)


def published_46m(vocab_size: int) -> SpikeGPTConfig:
    """Return the published network for enwik8 with 46 million parameters.

    Args:
        vocab_size: number of distinct characters of the training text.
    """
    return SpikeGPTConfig(vocab_size)


def published_216m() -> SpikeGPTConfig:
    """Return the published network for OpenWebText2 and WikiText with 216 million parameters and the vocabulary of GPT-NeoX-20B."""
    return SpikeGPTConfig(50_277, width=768, layers=18)


class SpikeGPTBody(Stateful):
    """SpikeGPT without a head: tokens int64 [B, T] -> hidden states [B, T, d]. The state is one `BlockState` per block, of constant size.

    Training on sequences, chunked prefill and token-by-token generation use the same `forward`. Parameters have the names of the release.

    Args:
        config: configuration of the network.
    Source: released training code of Zhu et al., SpikeGPT (arXiv 2302.13939).
    """

    block: type[Block] = Block
    """Class of the blocks."""

    def __init__(self, config: SpikeGPTConfig):
        super().__init__()
        self.config = expect_instance(config, SpikeGPTConfig, "config")
        self.emb = nn.Embedding(config.vocab_size, config.width)
        blocks = [
            self.block(
                config.width,
                config.spikes,
                config.v_threshold,
                first=i == 0,
                channel_only=config.channel_first and i == 0,
                dropout=config.dropout,
                scale=0.5 ** (i // _EVERY_HALVED) if config.halve_stream else 1.0,
                neurons=config.neurons,
                decay_rank=config.decay_rank,
                window=config.window,
            )
            for i in range(config.layers)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.ln_out = nn.LayerNorm(config.width)
        start(self)

    def arguments(self) -> dict[str, Any]:
        return dict(config=self.config)

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Read one token of each row, int64 [B]; returns the result [B, ...] and the next state."""
        expect(x_t, "B", "x_t")
        y, state = self(x_t.unsqueeze(1), state)
        return y.squeeze(1), state

    def forward(
        self, x: Tensor, state: State = None, valid: Tensor | None = None, streams: list[Tensor] | None = None
    ) -> tuple[Tensor, State]:
        """Compute the hidden states of a sequence.

        Args:
            x: token ids, int64 or int32 [B, T].
            state: state after the previous tokens; None starts new texts.
            valid: bool [B, T] or None.
            streams: list that receives the embedding and the stream after each block, [B, T, d] each; None for none.
        Returns:
            hidden states [B, T, d], zero at invalid steps, and the next state.
        Raises:
            InputError, InputTypeError: the tokens are not integers or not in the vocabulary, or the state has another shape.
        """
        expect(x, "B T", "tokens")
        expect_valid(valid, x)
        self._expect_tokens(x)
        return self.read(self.emb(x), state, valid, streams)

    def read(
        self, stream: Tensor, state: State = None, valid: Tensor | None = None, streams: list[Tensor] | None = None
    ) -> tuple[Tensor, State]:
        """Compute the hidden states of a sequence of embeddings [B, T, d], not yet binary; otherwise as `forward`."""
        if state is None:
            state = [None] * len(self.blocks)
        elif len(state) != len(self.blocks):
            raise InputError(f"state: expected one entry for each of {len(self.blocks)} blocks, got {len(state)}. Is it of another model?")
        if self.config.binary_embedding:
            stream = ATan(2.0)(stream)
        after, seen = [], [stream]
        for i, (block, before) in enumerate(zip(self.blocks, state, strict=True)):
            stream, now = block(stream, before, valid)
            after.append(now)
            if self.config.halve_stream and (i + 1) % _EVERY_HALVED == 0:
                stream = stream / 2
            if streams is not None:
                seen.append(stream)
        if streams is not None:
            streams += seen
        return zero_invalid(self.ln_out(stream), valid), tuple(after)

    def _expect_tokens(self, x: Tensor) -> None:
        if x.dtype not in (torch.int64, torch.int32):
            raise InputTypeError(f"tokens: expected int64 or int32, got {x.dtype}. Encode the text with the model's tokenizer.")
        if torch.compiler.is_compiling():
            return
        low, high = (int(bound) for bound in torch.aminmax(x))
        if low < 0 or high >= self.config.vocab_size:
            raise InputError(f"tokens: expected 0 to {self.config.vocab_size - 1}, got {low} to {high}. Use the tokenizer of this model.")


class SpikeGPT(SpikeGPTBody):
    """SpikeGPT language model: tokens int64 [B, T] -> logits [B, T, V], with a head not tied to the embedding. See `SpikeGPTBody`.

    Args:
        config: configuration of the network.
    """

    def __init__(self, config: SpikeGPTConfig):
        super().__init__(config)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        start_head(self.head, config.start)

    def forward(
        self, x: Tensor, state: State = None, valid: Tensor | None = None, streams: list[Tensor] | None = None
    ) -> tuple[Tensor, State]:
        hidden, state = super().forward(x, state, valid, streams)
        return self.head(hidden), state
