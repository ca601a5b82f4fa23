"""A trained SpikeGPT made ready to generate: tokens in, logits out, for one text or many at once."""

from typing import Literal, get_args

import torch
from torch import Tensor

from ..core import expect, expect_one_of, expect_valid
from ..models.spikegpt import SpikeGPT
from .memory import pack, rest, unpack

Weights = Literal["float32", "bfloat16", "int8"]
"""How matrices are held: as trained, in half of the memory, or in a quarter with one scale for each output."""

_CHUNK = 64
"""Tokens of each row that a prompt takes at once: enough to use a weight many times, and few enough to need little memory."""


class Decoder:
    """A `SpikeGPT` with its weights laid out for decoding on the CPU.

    The state is one tensor of rows, [B, N], a row for each text: `state[index]` takes rows out and `torch.cat` puts them together.
    Inputs are never modified. What a row gives does not depend on the other rows, nor on how its tokens are cut into calls: to the bit.

    Args:
        model: the trained network.
        weights: how matrices are held.
    """

    def __init__(self, model: SpikeGPT, weights: Weights = "float32"):
        expect_one_of(weights, get_args(Weights), "weights")
        self.spec = model.spec
        self.weights = weights
        self._model = model.float().eval()

    def rest(self, batch: int = 1) -> Tensor:
        """The state before any text."""
        return pack(rest(self.spec, batch), batch)

    def __call__(self, tokens: Tensor, state: Tensor | None = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Every token's logits, as the model gives them: int64 [B, T] -> [B, T, V], and the state after the last.

        Raises:
            TypeError, ValueError: tokens that are no integers or not in the vocabulary, or a state of another model or batch.
        """
        return self._run(tokens, state, valid)

    def prefill(self, tokens: Tensor, state: Tensor | None = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read prompts, in chunks so that memory does not grow with their length.

        Args:
            tokens: int64 [B, T].
            state: of the texts so far, [B, N]; None is from rest.
            valid: bool [B, T], False where there is padding, on either side.
        Returns:
            the logits after each row's last valid token, [B, V], and the state.
        Raises:
            TypeError, ValueError: as calling does, or a row has no valid token.
        """
        expect(tokens, "B T", "tokens")
        expect_valid(valid, tokens)
        if valid is not None and not bool(valid.any(1).all()):
            raise ValueError("valid: expected at least one token in every row, got a row of padding alone. Leave it out.")
        state = self.rest(len(tokens)) if state is None else state
        last = torch.zeros(len(tokens), self.spec.vocab_size)
        for start in range(0, tokens.shape[1], _CHUNK):
            chunk = tokens[:, start : start + _CHUNK]
            mask = torch.ones_like(chunk, dtype=torch.bool) if valid is None else valid[:, start : start + _CHUNK]
            logits, state = self._run(chunk, state, mask)
            steps = torch.arange(chunk.shape[1])
            newest = torch.where(mask, steps, -1).amax(1)
            last = torch.where(newest.unsqueeze(1) >= 0, logits[torch.arange(len(chunk)), newest], last)
        return last, state

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One more token of each text: int64 [B] -> logits [B, V] and the state.

        Raises:
            TypeError, ValueError: as calling does.
        """
        expect(tokens, "B", "tokens")
        logits, state = self._run(tokens.unsqueeze(1), state, None)
        return logits[:, 0], state

    @torch.no_grad()
    def _run(self, tokens: Tensor, state: Tensor | None, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        before = None if state is None else unpack(state, self.spec)
        logits, after = self._model(tokens, before, valid)
        return logits, pack(after, len(tokens))
