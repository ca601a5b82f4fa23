"""Decoder of a trained SpikeGPT on the CPU: tokens to logits, for one text or a batch of texts."""

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
from .packing import Packed, Weights, fingerprint, pack_network, unpack_network

Ids = NDArray[np.int64]


class Decoder:
    """A `SpikeGPT` with its weights repacked for decoding on the CPU; the model itself is not kept.

    The state is one tensor, [B, N], with one row per text: `state[index]` selects rows and `torch.cat` combines them. Inputs are never
    modified. The result of a row is bitwise independent of the other rows and of the division of its tokens into calls. Plain torch
    (`use_kernels("reference")`) gives the same result up to rounding; networks with a decay that depends on the data (`decay_rank`) or with
    local attention (`window`) run in it, which is slower.

    Args:
        model: trained network.
        weights: data type of the matrices. Embedding, norms and all arithmetic are float32 for each type.
    Raises:
        InputError: the data type is unknown, a weight is NaN or infinite, or a module has hooks.
    """

    def __init__(self, model: SpikeGPT, weights: Weights = "float32"):
        expect_one_of(weights, get_args(Weights), "weights")
        self.weights = weights
        self.packed: Packed = pack_network(model, weights)
        self.config = self.packed.config
        self.fingerprint = fingerprint(model)
        """SHA-256 of the weights of the model, which identifies saved states."""

    def rest(self, batch: int = 1) -> Tensor:
        """Return the initial state of `batch` texts, [batch, N]."""
        return pack(rest(self.config, batch), batch)

    def __call__(self, tokens: Tensor, state: Tensor | None = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the logits after every token.

        Args:
            tokens: token ids, int64 [B, T].
            state: state of the texts so far, [B, N]; None starts new texts.
            valid: bool [B, T], False in the padding, on either side; None if all tokens are valid.
        Returns:
            logits [B, T, V], zero in the padding, and the state after the last token.
        Raises:
            InputError, InputTypeError: the tokens are not int64 or not in the vocabulary, or the state has another shape.
        """
        valid = self._expect(tokens, valid)
        found, state = self._read(tokens, state, valid, valid)
        logits = found.new_zeros(*tokens.shape, self.config.vocab_size)
        logits[valid] = found
        return logits, state

    def read(self, tokens: Tensor, state: Tensor | None, valid: Tensor | None, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the logits after some of the tokens.

        Args:
            tokens, state, valid: as in `__call__`.
            wanted: bool [B, T], True for the valid tokens after which logits are computed.
        Returns:
            logits after the N wanted tokens, row by row, [N, V], and the state.
        Raises:
            InputError, InputTypeError: as in `__call__`.
        """
        return self._read(tokens, state, self._expect(tokens, valid), wanted)

    def prefill(self, tokens: Tensor, state: Tensor | None = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read prompts and compute the logits after the last token of each.

        Args:
            tokens, state, valid: as in `__call__`.
        Returns:
            logits after the last valid token of each row, [B, V], and the state.
        Raises:
            InputError, InputTypeError: as in `__call__`, or a row has no valid token.
        """
        valid = self._expect(tokens, valid)
        if not bool(valid.any(1).all()):
            raise InputError("valid: expected at least one token in every row, got a row of padding only. Remove the row.")
        last = torch.where(valid, torch.arange(tokens.shape[1]), -1).amax(1, keepdim=True)
        return self._read(tokens, state, valid, torch.zeros_like(valid).scatter(1, last, True))

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read one token of each text.

        Args:
            tokens: token ids, int64 [B].
            state: state of the texts, [B, N].
        Returns:
            logits [B, V] and the next state.
        Raises:
            InputError, InputTypeError: as in `__call__`.
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
        """Return the logits [W, V] after the `wanted` tokens, row by row, and the state."""
        chosen = wanted[valid]
        answers = torch.where(chosen, chosen.cumsum(0) - 1, -1)
        state = self.rest(len(tokens)) if state is None else state
        return self._run(tokens[valid].numpy(), valid.nonzero()[:, 0].numpy(), answers.numpy(), state)

    def _run(self, tokens: Ids, owners: Ids, answers: Ids, state: Tensor) -> tuple[Tensor, Tensor]:
        """Read tokens [P] of the rows `owners` [P]; `answers` [P] gives the row of the result for the logits of a token, or -1 for none."""
        expect(state, "B N", "state", N=self.packed.state_size)
        if len(owners) and owners[-1] >= len(state):
            raise InputError(
                f"state: expected a row for each of {owners[-1] + 1} texts, got {len(state)}. Pass the state returned by the previous call."
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
    """Read tokens one by one in plain torch: the definition of the fused kernel.

    Args:
        network: network with the packed weights.
        tokens: token ids, int64 [P].
        owners: row of the state to which each token belongs, int64 [P].
        answers: row of the result for the logits of each token, or -1 for none, int64 [P].
        state: [B, N].
    Returns:
        logits [number of answers, V], and the next state.
    """
    logits, after = torch.empty(int(answers.max(initial=-1)) + 1, network.config.vocab_size), state.clone()
    for row in np.unique(owners):
        memory = unpack(state[row : row + 1], network.config)
        for at in np.flatnonzero(owners == row):  # products of several tokens at once could round in another way
            found, memory = network.step(torch.from_numpy(tokens[at : at + 1]), memory)
            if answers[at] >= 0:
                logits[answers[at]] = found[0]
        after[row] = pack(memory, 1)[0]
    return logits, after
