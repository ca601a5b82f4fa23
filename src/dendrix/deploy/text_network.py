"""SpikeGPT in whole numbers, as a module over time."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core import State, Stateful, expect, expect_instance, expect_valid, find_kernel, kernel
from ..errors import InputError, InputTypeError
from ..models.spikegpt.network import SpikeGPTConfig
from . import text_reference
from .text_layout import neurons_of, plan_of

NEURON_FIELDS = ("levels", "signed", "decays", "norm", "separate")
"""Fields of `NeuronConfig` that the integer form has."""
MOST_CHANNELS = 2048
"""Largest width, so that sums of squares fit into 64 bits."""


class IntegerSpikeGPT(Stateful):
    """SpikeGPT in whole numbers: tokens int64 [B, T] -> logits [B, T, V], float64. Made by `quantise_text`.

    `text_reference` has the equations. A logit is a whole number times `unit`. Equal tokens give equal logits on every machine, in any
    batch and in any pieces. The state, int32 [B, S], has a row for each text and does not grow.

    Args:
        config: configuration of the network that it was made from.
        unit: value of one unit of the logits.
    """

    embedding: Tensor
    weights: Tensor
    constants: Tensor

    def __init__(self, config: SpikeGPTConfig, unit: float = 2.0**-16):
        super().__init__()
        self.config, self.unit = expect_instance(config, SpikeGPTConfig, "config"), float(unit)
        config.expect_published("the integer form", *NEURON_FIELDS)
        if config.width > MOST_CHANNELS:
            raise InputError(f"width: expected at most {MOST_CHANNELS} channels, got {config.width}. Deploy a narrower network.")
        self.plan = plan_of(config)
        self.register_buffer("embedding", torch.zeros(config.vocab_size, config.width, dtype=torch.int16))
        self.register_buffer("weights", torch.zeros(self.plan.weights, dtype=torch.int8))
        self.register_buffer("constants", torch.zeros(self.plan.constants, dtype=torch.int32))

    def arguments(self) -> dict[str, Any]:
        return dict(config=self.config, unit=self.unit)

    def init_state(self, batch: int) -> Tensor:
        """State of `batch` texts before their first token, int32 [B, S]."""
        row = text_reference.rest(self.plan, self.config.width).astype(np.int32)
        return torch.from_numpy(row).expand(batch, -1).clone()

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Read one token of each text, int64 [B]; returns logits [B, V] and the next state."""
        expect(x_t, "B", "x_t")
        y, state = self(x_t.unsqueeze(1), state)
        return y.squeeze(1), state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        logits, state = self.run(x, state, valid)
        return logits * self.unit, state

    def run(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read tokens.

        Args:
            x: token ids, int64 or int32 [B, T].
            state: what the last call returned; None starts new texts.
            valid: bool [B, T].
        Returns:
            integer logits, int64 [B, T, V], zero at invalid steps, and the next state.
        Raises:
            InputError, InputTypeError: tokens are not whole numbers of the vocabulary, or the state is of another network.
        """
        expect(x, "B T", "tokens")
        expect_valid(valid, x)
        self._expect_tokens(x)
        state = self._checked(state, len(x))
        mask = np.ones(x.shape, bool) if valid is None else valid.numpy()
        if fused := find_kernel(OPERATION, "cpu", self, x):
            found: tuple[Tensor, Tensor] = fused.run(self, x, state, mask)
            return found
        tables = [part.numpy().astype(np.int64) for part in (self.embedding, self.weights, self.constants)]
        logits, after = text_reference.run(self.config, self.plan, tables, x.numpy().astype(np.int64), mask, state.numpy().astype(np.int64))
        return torch.from_numpy(logits), torch.from_numpy(after.astype(np.int32))

    def _expect_tokens(self, x: Tensor) -> None:
        if x.dtype not in (torch.int64, torch.int32):
            raise InputTypeError(f"tokens: expected int64 or int32, got {x.dtype}. Encode the text with the model's tokenizer.")
        if not x.numel():
            return
        low, high = int(x.min()), int(x.max())
        if low < 0 or high >= self.config.vocab_size:
            raise InputError(f"tokens: expected 0 to {self.config.vocab_size - 1}, got {low} to {high}. Use the tokenizer of this model.")

    def _checked(self, state: State, batch: int) -> Tensor:
        if state is None:
            return self.init_state(batch)
        shape = (batch, self.plan.memory)
        if isinstance(state, Tensor) and state.shape == shape and state.dtype == torch.int32:
            return state
        came = f"{state.dtype} {list(state.shape)}" if isinstance(state, Tensor) else type(state).__name__
        raise InputError(f"state: expected int32 {list(shape)}, got {came}. Pass what the last call returned.")


OPERATION = "integer_spikegpt"
"""Name of the run in the table of kernels."""


@kernel(OPERATION, "cpu", refuses=lambda *_: None)  # the compiled loops take whatever the reference takes
def run_compiled(network: IntegerSpikeGPT, x: Tensor, state: Tensor, valid: Any) -> tuple[Tensor, Tensor]:
    """`IntegerSpikeGPT.run` by compiled loops."""
    from . import text_loops as loops  # numba loads in 0.4 s

    after, tokens = state.numpy().copy(), x.contiguous().numpy().astype(np.int64)
    logits = np.empty((*x.shape, network.config.vocab_size), np.int64)
    embedding, weights, constants = (part.numpy() for part in (network.embedding, network.weights, network.constants))
    tables = embedding, weights, constants.astype(np.int64)  # with one type of whole numbers the loops compile faster
    run: Any = loops.run_text
    run(tokens, valid, neurons_of(network.config), network.plan.rows, network.plan.end, *tables, after, logits)
    return torch.from_numpy(logits), torch.from_numpy(after)
