"""LSTM language model with the interface of `SpikeGPT`, as a baseline for spiking language models."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core import expect, expect_fields, expect_instance
from ..errors import InputError

LSTMState = tuple[Tensor, Tensor]
"""Outputs and cells of all layers after the last token, [layers, B, d] each."""


@dataclass(frozen=True)
class LSTMConfig:
    """Configuration of an `LSTM`.

    Raises:
        InputError: a field is out of range.
    """

    vocab_size: int
    """Size of the vocabulary, V."""
    width: int = 245
    """Number of channels, d."""
    layers: int = 2
    """Number of layers."""
    dropout: float = 0.0
    """Dropout probability of the embedding and of the output of each layer."""

    def __post_init__(self) -> None:
        counts = dict.fromkeys(("vocab_size", "width", "layers"), "[1, inf)")
        expect_fields(self, whole=counts, **counts)
        expect_fields(self, dropout="[0, 1)")

    def build(self) -> "LSTM":
        """Create the network with initial weights."""
        return LSTM(self)


class LSTM(nn.Module):
    """LSTM with an embedding and a head: tokens int64 [B, T] -> logits [B, T, V].

    Weights start as in torch, and the biases of the gates that keep the cells at 1.

    Args:
        config: configuration of the network.
    Source: Hochreiter & Schmidhuber (1997), "Long short-term memory"; Jozefowicz et al. (2015) for the bias.
    """

    def __init__(self, config: LSTMConfig):
        super().__init__()
        self.config = expect_instance(config, LSTMConfig, "config")
        self.emb = nn.Embedding(config.vocab_size, config.width)
        between = config.dropout if config.layers > 1 else 0.0  # torch warns about dropout after a single layer
        self.inner = nn.LSTM(config.width, config.width, config.layers, batch_first=True, dropout=between)
        self.drop, self.head = nn.Dropout(config.dropout), nn.Linear(config.width, config.vocab_size, bias=False)
        with torch.no_grad():
            for layer in range(config.layers):
                self.inner.get_parameter(f"bias_ih_l{layer}")[config.width : 2 * config.width] = 1.0

    def forward(self, x: Tensor, state: LSTMState | None = None) -> tuple[Tensor, LSTMState]:
        """Compute the logits after each token.

        Args:
            x: token ids, int64 [B, T].
            state: state after the previous tokens; None starts new texts.
        Returns:
            logits [B, T, V] and the next state.
        Raises:
            InputError: a token is not in the vocabulary.
        """
        expect(x, "B T", "tokens")
        low, high = (int(bound) for bound in torch.aminmax(x))
        if low < 0 or high >= self.config.vocab_size:
            raise InputError(f"tokens: expected 0 to {self.config.vocab_size - 1}, got {low} to {high}. Use the tokenizer of this model.")
        y, state = self.inner(self.drop(self.emb(x)), state)
        return self.head(self.drop(y)), state

    def step(self, x_t: Tensor, state: LSTMState | None = None) -> tuple[Tensor, LSTMState]:
        """Read one token of each row, int64 [B]; returns logits [B, V] and the next state."""
        expect(x_t, "B", "x_t")
        y, state = self(x_t.unsqueeze(1), state)
        return y.squeeze(1), state
