"""A trained SpikeGPT made ready to generate: tokens in, logits out, for one text or many at once."""

from functools import cached_property
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core import expect, expect_one_of, expect_valid, find_kernel
from ..errors import InputError, InputTypeError
from ..models.spikegpt.network import SpikeGPT
from .memory import pack, rest, unpack
from .packing import Packed, Weights, pack_network, unpack_network

Ids = NDArray[np.int64]


class Decoder:
    """A `SpikeGPT` laid out for decoding on the CPU; the model itself is not kept.

    The state is one tensor of rows, [B, N], a row for each text: `state[index]` takes rows out and `torch.cat` puts them together.
    Inputs are never modified. With the fused kernel, what a row gives depends neither on the other rows nor on how its tokens are cut
    into calls, to the bit; plain torch (`use_kernels("reference")`) gives the same but for rounding.

    Args:
        model: the trained network.
        weights: how matrices are held. Embedding, norms and all arithmetic are float32 with each.
    Raises:
        ValueError: no such kind of weights, or a weight is NaN or infinite.
    """

    def __init__(self, model: SpikeGPT, weights: Weights = "float32"):
        expect_one_of(weights, get_args(Weights), "weights")
        self.config = model.config
        self.weights = weights
        self.packed: Packed = pack_network(model, weights)

    def rest(self, batch: int = 1) -> Tensor:
        """The state before any text."""
        return pack(rest(self.config, batch), batch)

    def __call__(self, tokens: Tensor, state: Tensor | None = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What follows every token, as the model gives it; zeros where a token is not valid.

        Args:
            tokens: int64 [B, T].
            state: of the texts so far, [B, N]; None is from rest.
            valid: bool [B, T], False where there is padding, on either side; None: all are valid.
        Returns:
            logits [B, T, V], and the state after the last token.
        Raises:
            TypeError, ValueError: tokens that are no integers or not in the vocabulary, or a state of another model or batch.
        """
        valid = self._expect(tokens, valid)
        found, state = self._read(tokens, state, valid, valid)
        logits = found.new_zeros(*tokens.shape, self.config.vocab_size)
        logits[valid] = found
        return logits, state

    def prefill(self, tokens: Tensor, state: Tensor | None = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read prompts, many tokens at once, in memory that does not grow with their length.

        Args:
            tokens, state, valid: as for a call.
        Returns:
            the logits after each row's last valid token, [B, V], and the state.
        Raises:
            TypeError, ValueError: as a call, or a row has no valid token.
        """
        valid = self._expect(tokens, valid)
        if not bool(valid.any(1).all()):
            raise InputError("valid: expected at least one token in every row, got a row of padding alone. Leave it out.")
        last = torch.where(valid, torch.arange(tokens.shape[1]), -1).amax(1, keepdim=True)
        return self._read(tokens, state, valid, torch.zeros_like(valid).scatter(1, last, True))

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One more token of each text: int64 [B] -> logits [B, V] and the state.

        Raises:
            TypeError, ValueError: as a call.
        """
        expect(tokens, "B", "tokens")
        self._expect_tokens(tokens)
        each = np.arange(len(tokens))
        return self._run(tokens.numpy(), each, each, state)

    def _expect(self, tokens: Tensor, valid: Tensor | None) -> Tensor:
        expect(tokens, "B T", "tokens")
        expect_valid(valid, tokens)
        self._expect_tokens(tokens)
        return torch.ones_like(tokens, dtype=torch.bool) if valid is None else valid

    def _expect_tokens(self, tokens: Tensor) -> None:
        if tokens.dtype != torch.int64:
            raise InputTypeError(f"tokens: expected int64, got {tokens.dtype}. Encode the text with the model's tokenizer.")
        ids = tokens.numpy()
        low, high = ids.min(), ids.max()
        if low < 0 or high >= self.config.vocab_size:
            raise InputError(f"tokens: expected 0 to {self.config.vocab_size - 1}, got {low} to {high}. Use the tokenizer of this model.")

    def _read(self, tokens: Tensor, state: Tensor | None, valid: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """The logits [W, V] after the tokens that are wanted, row by row, and the state."""
        chosen = wanted[valid]
        answers = torch.where(chosen, chosen.cumsum(0) - 1, -1)
        state = self.rest(len(tokens)) if state is None else state
        return self._run(tokens[valid].numpy(), valid.nonzero()[:, 0].numpy(), answers.numpy(), state)

    def _run(self, tokens: Ids, owners: Ids, answers: Ids, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read tokens [P], each of the row that owns it; the logits of the token whose answer is n are row n."""
        expect(state, "B N", "state", N=self.packed.state_size)
        if len(owners) and owners[-1] >= len(state):
            raise InputError(
                f"state: expected a row for each of {owners[-1] + 1} texts, got {len(state)}. Pass what the last call returned."
            )
        if fused := find_kernel("decode", "cpu", self.packed, tokens, owners, answers, state):
            found: tuple[Tensor, Tensor] = fused.run(self.packed, tokens, owners, answers, state)
            return found
        return decode(self._network, tokens, owners, answers, state)

    @cached_property
    def _network(self) -> SpikeGPT:
        return unpack_network(self.packed)


@torch.no_grad()
def decode(network: SpikeGPT, tokens: Ids, owners: Ids, answers: Ids, state: Tensor) -> tuple[Tensor, Tensor]:
    """What the kernel does, in plain torch: row after row."""
    logits, after = torch.empty(int(answers.max(initial=-1)) + 1, network.config.vocab_size), state.clone()
    for row in np.unique(owners):
        own = owners == row
        found, memory = network(torch.from_numpy(tokens[own]).unsqueeze(0), unpack(state[row : row + 1], network.config))
        asked = answers[own] >= 0
        logits[answers[own][asked]] = found[0, asked]
        after[row] = pack(memory, 1)[0]
    return logits, after
