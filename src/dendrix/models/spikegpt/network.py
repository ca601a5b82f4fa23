"""SpikeGPT: a language model whose memory is two sums, two membranes and two past inputs per channel, and no cache."""

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...core import ATan, State, Stateful, expect, expect_fields, expect_one_of, expect_valid, zero_invalid
from ...errors import InputError, InputTypeError
from .blocks import Block, Spikes
from .initialisation import Start, start, start_head

_EVERY_HALVED = 6


@dataclass(frozen=True)
class SpikeGPTConfig:
    """What a `SpikeGPT` is made of. The defaults are the published network of 46 million parameters but for its vocabulary."""

    vocab_size: int
    """Tokens, V."""
    width: int = 512
    """Channels of the stream, d."""
    layers: int = 12
    """Blocks, L."""
    spikes: Spikes = "output"
    """Where the neurons stand: "output" after each half of a block, as published; "input" before every matrix product of a block, so
    that these are fed by bits, each time behind a norm; "none", the continuous twin."""
    start: Start = "pytorch"
    """How weights begin: "pytorch" as in the released training, "rwkv" as its code meant to."""
    channel_first: bool = False
    """Whether the first block mixes channels twice and time not at all (`RWKV-ffnPre` of the release)."""
    dropout: float = 0.03
    """Probability that a channel of the stream is dropped, after each block."""
    v_threshold: float = 1.0
    """Of all neurons; checkpoints from before March 2023 need 0.1."""
    binary_embedding: bool = True
    """Whether embeddings are bits. The released generator feeds floats, unlike the training."""
    halve_stream: bool = False
    """Whether every sixth block halves the stream, as the released generator does; wrong beyond six blocks, as neurons do not scale."""

    def __post_init__(self) -> None:
        expect_one_of(self.spikes, get_args(Spikes), "spikes")
        expect_one_of(self.start, get_args(Start), "start")
        expect_fields(self, vocab_size="[1, inf)", width="[2, inf)", layers="[0, inf)", dropout="[0, 1)", v_threshold="(0, inf)")

    def build(self) -> "SpikeGPT":
        """The network, with the weights of its start."""
        return SpikeGPT(self)


def published_46m(vocab_size: int) -> SpikeGPTConfig:
    """The network for enwik8; its vocabulary is the characters of the training text."""
    return SpikeGPTConfig(vocab_size)


def published_216m() -> SpikeGPTConfig:
    """The network for OpenWebText2 and WikiText, with the vocabulary of GPT-NeoX-20B."""
    return SpikeGPTConfig(50_277, width=768, layers=18)


class SpikeGPTBody(Stateful):
    """Tokens int64 [B, T] -> what a head reads, [B, T, d]; state: a `BlockState` per block, of a size that does not grow with the text.

    Training on a sequence, prefill in chunks and generation token by token are this one function. Parameters are named as in the release.

    Args:
        config: what it is made of.
    Source: Zhu et al., SpikeGPT (arXiv 2302.13939), the released training code.
    """

    checkpointing = False
    """Whether training computes the inside of a block a second time instead of keeping it."""

    def __init__(self, config: SpikeGPTConfig):
        super().__init__()
        self.config = config
        self.emb = nn.Embedding(config.vocab_size, config.width)
        blocks = [
            Block(
                config.width,
                config.spikes,
                config.v_threshold,
                first=i == 0,
                channel_only=config.channel_first and i == 0,
                dropout=config.dropout,
                scale=0.5 ** (i // _EVERY_HALVED) if config.halve_stream else 1.0,
            )
            for i in range(config.layers)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.ln_out = nn.LayerNorm(config.width)
        start(self)

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        """One token of each row, int64 [B] -> [B, ...] and the next state."""
        expect(x_t, "B", "x_t")
        y, state = self(x_t.unsqueeze(1), state)
        return y.squeeze(1), state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        """A sequence.

        Raises:
            TypeError, ValueError: tokens that are no integers or not in the vocabulary, or a state of another model or batch.
        """
        expect(x, "B T", "tokens")
        expect_valid(valid, x)
        self._expect_tokens(x)
        if state is None:
            state = [None] * len(self.blocks)
        elif len(state) != len(self.blocks):
            raise InputError(f"state: expected one entry for each of {len(self.blocks)} blocks, got {len(state)}. Is it of another model?")
        stream = self.emb(x)
        if self.config.binary_embedding:
            stream = ATan(2.0)(stream)
        after = []
        for i, (block, before) in enumerate(zip(self.blocks, state, strict=True)):
            if self.checkpointing and self.training:
                stream, now = checkpoint(block, stream, before, valid, use_reentrant=False)
            else:
                stream, now = block(stream, before, valid)
            after.append(now)
            if self.config.halve_stream and (i + 1) % _EVERY_HALVED == 0:
                stream = stream / 2
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
    """Tokens int64 [B, T] -> logits [B, T, V], with a head that is not tied to the embedding. See `SpikeGPTBody`."""

    def __init__(self, config: SpikeGPTConfig):
        super().__init__(config)
        self.head = nn.Linear(config.width, config.vocab_size, bias=False)
        start_head(self.head, config.start)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        hidden, state = super().forward(x, state, valid)
        return self.head(hidden), state
