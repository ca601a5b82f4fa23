"""GPT-2, as a control for language models with spikes: the network of transformers, called as `SpikeGPT` is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..core import expect, expect_fields
from ..errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel


@dataclass(frozen=True)
class GPT2Config:
    """What a `GPT2` is made of."""

    vocab_size: int
    """Tokens, V."""
    width: int = 128
    """Channels, d."""
    layers: int = 5
    """Blocks."""
    heads: int = 4
    """Heads of the attention, which share the channels."""
    context: int = 256
    """Learned positions: the most tokens that it sees."""
    dropout: float = 0.0
    """Probability, wherever GPT-2 has it."""

    def __post_init__(self) -> None:
        expect_fields(self, vocab_size="[1, inf)", width="[1, inf)", layers="[1, inf)", heads="[1, inf)", context="[1, inf)")
        expect_fields(self, dropout="[0, 1)")
        if self.width % self.heads:
            raise InputError(f"heads: expected a divisor of the width {self.width}, got {self.heads}.")

    def build(self) -> "GPT2":
        """The network, with the weights of its start."""
        return GPT2(self)


class GPT2(nn.Module):
    """Tokens int64 [B, T] -> logits [B, T, V]; the state is the tokens before, int64 [B, up to context - 1], which are read anew.

    As in SpikeGPT, the head is not tied to the embedding.

    Args:
        config: what it is made of.
    Raises:
        ImportError: transformers is missing.
    Source: Radford et al. (2019), "Language models are unsupervised multitask learners".
    """

    def __init__(self, config: GPT2Config):
        super().__init__()
        self.config = config
        self.inner = _network(config)

    @classmethod
    def of(cls, inner: "GPT2LMHeadModel") -> "GPT2":
        """A GPT-2 of transformers, with its weights and in its mode."""
        config = inner.config
        config = GPT2Config(config.vocab_size, config.n_embd, config.n_layer, config.n_head, config.n_positions, config.resid_pdrop)
        network = cls(config)
        network.inner.load_state_dict(inner.state_dict())
        return network.train(inner.training)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What follows each token, and the state after the last; the oldest tokens of the state make room for new ones.

        Raises:
            ValueError: there are more new tokens than the context holds, or some are not in the vocabulary.
        """
        expect(x, "B T", "tokens")
        context, size = self.config.context, self.config.vocab_size
        if x.shape[1] > context:
            raise InputError(f"tokens: expected at most {context}, the context of this GPT-2, got {x.shape[1]}. Set --context {context}.")
        low, high = (int(bound) for bound in torch.aminmax(x))
        if low < 0 or high >= size:
            raise InputError(f"tokens: expected 0 to {size - 1}, got {low} to {high}. Use the tokenizer of this model.")
        seen = x if state is None else torch.cat([state, x], 1)[:, -context:]
        logits: Tensor = self.inner(seen, use_cache=False).logits[:, -x.shape[1] :]
        return logits, seen[:, 1:] if seen.shape[1] == context else seen

    def step(self, x_t: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One token of each row, int64 [B] -> [B, V] and the next state."""
        expect(x_t, "B", "x_t")
        y, state = self(x_t.unsqueeze(1), state)
        return y.squeeze(1), state


def _network(config: GPT2Config) -> "GPT2LMHeadModel":
    try:
        from transformers import GPT2Config as LibraryConfig
        from transformers import GPT2LMHeadModel
    except ImportError as missing:
        raise MissingExtraError("GPT-2 needs transformers, which is not installed: pip install dendrix[lm].") from missing
    sizes = LibraryConfig(
        vocab_size=config.vocab_size,
        n_embd=config.width,
        n_layer=config.layers,
        n_head=config.heads,
        n_positions=config.context,
        resid_pdrop=config.dropout,
        embd_pdrop=config.dropout,
        attn_pdrop=config.dropout,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    return GPT2LMHeadModel(sizes)
