"""Networks as compiled steps in float32, for streams and single inputs: the whole network is one loop, without tensors in between."""

from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..core import State, Stateful, expect, expect_finite, expect_floating, expect_valid, zero_invalid
from ..errors import InputError
from ..layers.delay.base import delay_layers
from ..lowering.layers import lower
from ..kernels.network.event_operation import run_events
from ..lowering.event_tables import event_tables

Net = TypeVar("Net", bound=nn.Module)


class StreamingState(NamedTuple):
    """State of a streaming network."""

    memory: Tensor
    """Membranes, currents and pending sums of all layers, float32 [B, S]."""
    steps: Tensor
    """Number of steps so far, int64 [B]."""


class StreamingNetwork(Stateful):
    """A network as one compiled step: x [B, T, C] -> outputs [B, T, K], float32, equal to those of the network within rounding.

    It is a copy of the network as it was, for evaluation, without gradients.

    Args:
        network: as `lower` takes it.
    Raises:
        InputError: a part of the network cannot be compiled; it is named.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        layers = lower(network)
        self.channels, self.outputs = layers[0].synapses.inputs, len(layers[-1].bias)
        # Arrays and no buffers: reading a buffer of a module and converting it takes as long as a layer.
        self._tables = event_tables(layers)
        self._rest = self._tables.rest
        self._one = np.ones((1, 1), bool)
        self.eval()

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        expect(x_t, "B C", "x_t", C=self.channels)
        expect_finite(x_t, "x_t")
        valid = self._one if x_t.shape[0] == 1 else np.ones((x_t.shape[0], 1), bool)
        y, state = self._run(x_t.detach().numpy()[:, None], state, valid)
        return y[:, 0], state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.channels)
        expect_floating(x)
        expect_valid(valid, x)
        x = zero_invalid(x, valid)
        expect_finite(x)
        return self._run(x.detach().numpy(), state, np.ones(x.shape[:2], bool) if valid is None else valid.numpy())

    def _run(self, x: Any, state: State, valid: Any) -> tuple[Tensor, StreamingState]:
        if state is None:
            memory, steps = np.repeat(self._rest[None], len(x), 0), np.zeros(len(x), np.int64)
        else:
            memory, steps = (part.numpy().copy() for part in self._checked(state, len(x)))
        y = np.empty((x.shape[0], x.shape[1], self.outputs), np.float32)
        run_events(self._tables, np.ascontiguousarray(x, np.float32), None, valid, memory, steps, y)
        return torch.from_numpy(y), StreamingState(torch.from_numpy(memory), torch.from_numpy(steps))

    def _checked(self, state: State, batch: int) -> StreamingState:
        shape = (batch, len(self._rest))
        if isinstance(state, StreamingState) and state.memory.shape == shape:
            return state
        came = list(state.memory.shape) if isinstance(state, StreamingState) else type(state).__name__
        raise InputError(f"state: expected StreamingState of shape {list(shape)}, got {came}. Pass what the last call returned.")


def streaming(network: Net) -> Net | StreamingNetwork:
    """The compiled step of a network, or the network itself where a part of it cannot be compiled, or its delays are not whole.

    Args:
        network: in evaluation mode, on the CPU.
    """
    parameter = next(iter(network.state_dict().values()), None)
    if not isinstance(parameter, Tensor) or parameter.device.type != "cpu" or isinstance(network, StreamingNetwork):
        return network
    if not all(layer.rounded for layer in delay_layers(network)):
        return network
    try:
        return StreamingNetwork(network)
    except InputError:
        return network
