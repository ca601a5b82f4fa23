"""GPT-2 of transformers with the interface of `SpikeGPT`, as a baseline for spiking language models."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..core import expect, expect_fields, expect_flag, expect_instance
from ..errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel


@dataclass(frozen=True)
class GPT2Config:
    """Configuration of a `GPT2`.

    Raises:
        InputError: a field is out of range, or `heads` does not divide `width`.
    """

    vocab_size: int
    """Size of the vocabulary, V."""
    width: int = 128
    """Number of channels, d."""
    layers: int = 5
    """Number of blocks."""
    heads: int = 4
    """Number of attention heads; must divide `width`."""
    context: int = 256
    """Number of position embeddings: the length of the context window, in tokens."""
    dropout: float = 0.0
    """Dropout probability, at all places where GPT-2 uses dropout."""
    tied: bool = False
    """Use the matrix of the embedding as the head too, as the published GPT-2 does."""
    init_std: float = 0.02
    """Standard deviation of the initial weights."""

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("vocab_size", "width", "layers", "heads", "context"), "[1, inf)")
        expect_fields(self, whole=counts, **counts)
        expect_fields(self, dropout="[0, 1)", init_std="(0, inf)")
        expect_flag(self.tied, "tied")
        if self.width % self.heads:
            raise InputError(f"heads: expected a divisor of the width {self.width}, got {self.heads}. Change either.")

    def build(self) -> "GPT2":
        """Create the network with initial weights."""
        return GPT2(self)


class GPT2(nn.Module):
    """GPT-2: tokens int64 [B, T] -> logits [B, T, V]. The state holds the previous tokens, int64 [B, <= context - 1], which are read again.

    As in SpikeGPT, the head is not tied to the embedding unless the configuration says so.

    Args:
        config: configuration of the network.
    Raises:
        MissingExtraError: transformers is not installed.
    Source: Radford et al. (2019), "Language models are unsupervised multitask learners".
    """

    def __init__(self, config: GPT2Config):
        super().__init__()
        self.config = expect_instance(config, GPT2Config, "config")
        self.inner = _network(config)

    @classmethod
    def of(cls, inner: "GPT2LMHeadModel") -> "GPT2":
        """Wrap a GPT-2 of transformers.

        Args:
            inner: model whose weights and training mode are copied.
        """
        config = inner.config
        sizes = config.vocab_size, config.n_embd, config.n_layer, config.n_head, config.n_positions, config.resid_pdrop
        config = GPT2Config(*sizes, tied=config.tie_word_embeddings, init_std=config.initializer_range)
        network = cls(config)
        network.inner.load_state_dict(inner.state_dict())
        return network.train(inner.training)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the logits after each token.

        Args:
            x: token ids, int64 [B, T].
            state: previous tokens; None starts new texts. The oldest ones are dropped if the context window is full.
        Returns:
            logits [B, T, V] and the next state.
        Raises:
            InputError: there are more tokens than the context window holds, or a token is not in the vocabulary.
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
        """Read one token of each row, int64 [B]; returns logits [B, V] and the next state."""
        expect(x_t, "B", "x_t")
        y, state = self(x_t.unsqueeze(1), state)
        return y.squeeze(1), state


def _network(config: GPT2Config) -> "GPT2LMHeadModel":
    try:
        from transformers import GPT2Config as LibraryConfig
        from transformers import GPT2LMHeadModel
    except Exception as missing:
        raise MissingExtraError.of("GPT-2 needs", "transformers", "lm", missing) from missing
    sizes = LibraryConfig(
        vocab_size=config.vocab_size,
        n_embd=config.width,
        n_layer=config.layers,
        n_head=config.heads,
        n_positions=config.context,
        resid_pdrop=config.dropout,
        embd_pdrop=config.dropout,
        attn_pdrop=config.dropout,
        tie_word_embeddings=config.tied,
        initializer_range=config.init_std,
        bos_token_id=None,
        eos_token_id=None,
    )
    return GPT2LMHeadModel(sizes)
