"""A trained SpikeGPT made ready to generate: tokens in, logits out, for one text or many at once."""

from functools import cached_property
from typing import get_args

import torch
from torch import Tensor

from ..core import expect, expect_one_of, expect_valid, find_kernel
from ..models.spikegpt import SpikeGPT
from .memory import pack, rest, unpack
from .packing import Packed, Weights, pack_network, unpack_network


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
        self.spec = model.spec
        self.weights = weights
        self.packed: Packed = pack_network(model, weights)

    def rest(self, batch: int = 1) -> Tensor:
        """The state before any text."""
        return pack(rest(self.spec, batch), batch)

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
        logits = found.new_zeros(*tokens.shape, self.spec.vocab_size)
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
            raise ValueError("valid: expected at least one token in every row, got a row of padding alone. Leave it out.")
        last = torch.where(valid, torch.arange(tokens.shape[1]), -1).amax(1, keepdim=True)
        return self._read(tokens, state, valid, torch.zeros_like(valid).scatter(1, last, True))

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One more token of each text: int64 [B] -> logits [B, V] and the state.

        Raises:
            TypeError, ValueError: as a call.
        """
        return self.prefill(tokens.unsqueeze(-1), state)

    def _expect(self, tokens: Tensor, valid: Tensor | None) -> Tensor:
        expect(tokens, "B T", "tokens")
        expect_valid(valid, tokens)
        if tokens.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"tokens: expected int64 or int32, got {tokens.dtype}. Encode the text with the model's tokenizer.")
        low, high = (int(bound) for bound in torch.aminmax(tokens))
        if low < 0 or high >= self.spec.vocab_size:
            raise ValueError(f"tokens: expected 0 to {self.spec.vocab_size - 1}, got {low} to {high}. Use the tokenizer of this model.")
        return torch.ones_like(tokens, dtype=torch.bool) if valid is None else valid

    @torch.no_grad()
    def _read(self, tokens: Tensor, state: Tensor | None, valid: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """The logits [W, V] after the tokens that are wanted, row by row, and the state."""
        state = self.rest(len(tokens)) if state is None else state
        expect(state, "B N", "state", B=len(tokens), N=self.packed.state_size)
        if fused := find_kernel("decode", "cpu", self.packed, tokens, state, valid, wanted):
            found: tuple[Tensor, Tensor] = fused.run(self.packed, tokens, state, valid, wanted)
            return found
        logits, after = self._network(tokens, unpack(state, self.spec), valid)
        return logits[wanted], pack(after, len(tokens))

    @cached_property
    def _network(self) -> SpikeGPT:
        """The network whose weights are those that were packed: the definition of what the kernel does."""
        return unpack_network(self.packed)
