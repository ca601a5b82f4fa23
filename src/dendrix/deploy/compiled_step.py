"""Networks as one compiled loop in float32, from events or tensors to outputs, without tensors in between."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import shown
from ..core import State, Stateful, expect, expect_finite, expect_floating, expect_valid, zero_invalid
from ..errors import InputError
from ..layers.delay.base import delay_layers
from ..lowering.event_runs import EventLists, EventLoop
from ..lowering.event_tables import event_tables
from ..lowering.layers import Layer, lower
from ..lowering.sparse import SparseLayer

Net = TypeVar("Net", bound=nn.Module)


class Spikes(NamedTuple):
    """Events of one input, in the order of their steps."""

    step: Any
    """Step of each event, whole numbers [N], not decreasing."""
    channel: Any
    """Its channel, whole numbers [N]."""
    value: Any = None
    """Its value, [N]; None: all 1."""


class StreamingState(NamedTuple):
    """State of a streaming network."""

    memory: Tensor
    """Membranes, currents and pending sums of all layers, float32 [B, S]."""
    steps: Tensor
    """Number of steps so far, int64 [B]."""


class StreamingNetwork(Stateful):
    """A network as one compiled loop: x [B, T, C] -> outputs [B, T, K], float32, equal to those of the network within rounding.

    It is a copy of the network as it was, for evaluation, without gradients. Each event adds its synapses to sums at their delays, so the
    time grows with the number of events. Threads take rows of a batch, or neurons of a single row.

    Args:
        network: as `lower` takes it, or the layers that it returns.
    Raises:
        InputError: a part of the network cannot be compiled; it is named.
    """

    def __init__(self, network: nn.Module | Sequence[Layer | SparseLayer]):
        super().__init__()
        layers: Sequence[Layer | SparseLayer] = lower(network) if isinstance(network, nn.Module) else network
        self.channels, self.outputs = layers[0].synapses.inputs, len(layers[-1].bias)
        # Arrays and no buffers: reading a buffer of a module and converting it takes as long as a layer.
        self._loop = EventLoop(event_tables(layers))
        self._one = np.ones((1, 1), bool)
        self.eval()

    def step(self, x_t: Tensor, state: State = None) -> tuple[Tensor, State]:
        expect(x_t, "B C", "x_t", C=self.channels)
        expect_finite(x_t, "x_t")
        valid = self._one if x_t.shape[0] == 1 else np.ones((x_t.shape[0], 1), bool)
        y, state = self._run(x_t.detach().numpy()[:, None], None, state, valid)
        return y[:, 0], state

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        expect(x, "B T C", C=self.channels)
        expect_floating(x)
        expect_valid(valid, x)
        x = zero_invalid(x, valid)
        expect_finite(x)
        return self._run(x.detach().numpy(), None, state, np.ones(x.shape[:2], bool) if valid is None else valid.numpy())

    def forward_events(self, rows: Sequence[Spikes], lengths: int | Sequence[int], state: State = None) -> tuple[Tensor, State]:
        """Run inputs that are given as events, as `forward` runs x with these values at their steps and channels, and zeros elsewhere.

        Args:
            rows: the events of each input; several at one step and channel add up.
            lengths: number of steps of each input, or of all.
            state: state after the steps before, with a row per input.
        Returns:
            outputs [B, T, K], zero after the end of an input, and the state.
        Raises:
            InputError: events are no `Spikes`, unsorted, not finite, or outside the steps or channels, or there are no steps.
        """
        if not isinstance(rows, Sequence) or not all(isinstance(row, Spikes) for row in rows):
            raise InputError(
                f"rows: expected a list of Spikes, one for each input, got {type(rows).__name__}. Write [Spikes(step, channel)]."
            )
        each = _checked_lengths(lengths, len(rows))
        listed = [_checked_events(row, steps, self.channels, f"input {b}") for b, (row, steps) in enumerate(zip(rows, each, strict=True))]
        valid = np.arange(max(each)) < np.array(each)[:, None]
        return self._run(np.empty((len(rows), 0, self.channels), np.float32), _lists(listed, valid.shape[1]), state, valid)

    def _run(self, x: Any, events: EventLists | None, state: State, valid: Any) -> tuple[Tensor, StreamingState]:
        if state is None:
            memory, steps = np.empty((len(x), len(self._loop.tables.rest)), np.float32), np.zeros(len(x), np.int64)
        else:
            memory, steps = (part.numpy().copy() for part in self._checked(state, len(x)))
        y = np.empty((*valid.shape, self.outputs), np.float32)
        self._loop.run(np.ascontiguousarray(x, np.float32), events, valid, memory, steps, y, state is None)
        return torch.from_numpy(y), StreamingState(torch.from_numpy(memory), torch.from_numpy(steps))

    def _checked(self, state: State, batch: int) -> StreamingState:
        shape = (batch, len(self._loop.tables.rest))
        if isinstance(state, StreamingState) and state.memory.shape == shape:
            return state
        came = list(state.memory.shape) if isinstance(state, StreamingState) else type(state).__name__
        raise InputError(f"state: expected StreamingState of shape {list(shape)}, got {came}. Pass what the last call returned.")


def _checked_lengths(lengths: Any, count: int) -> list[int]:
    """Steps of each input, whole numbers that a signed integer of 32 bits holds."""
    each = np.asarray(lengths)
    each = np.full(count, each) if each.ndim == 0 else each
    if each.dtype.kind not in "iu" or each.shape != (count,) or not count or each.min() < 0 or not 1 <= each.max() < 2**31:
        raise InputError(
            f"lengths: expected a whole number of steps for each of {count} inputs, at least 1 for the longest, got {shown(lengths)}."
        )
    steps: list[int] = each.tolist()
    return steps


def _checked_events(row: Spikes, steps: int, channels: int, name: str) -> tuple[Any, Any, Any]:
    """Steps, channels and values of one input as arrays."""
    step, channel = (_array(part) for part in row[:2])
    value = np.ones(step.shape, np.float32) if row.value is None else _array(row.value)
    if value.dtype.kind not in "fiub":
        raise InputError(f"{name}: expected real numbers as values, got {value.dtype}.")
    with np.errstate(over="ignore"):  # refused below
        value = value.astype(np.float32)
    if not step.shape == channel.shape == value.shape or step.ndim != 1:
        raise InputError(f"{name}: expected as many steps as channels and values, got {step.shape}, {channel.shape} and {value.shape}.")
    for part, limit, what in ((step, steps, "steps"), (channel, channels, "channels")):
        whole = not len(part) or part.dtype.kind in "iu"
        if not whole or (len(part) and (part.min() < 0 or part.max() >= limit)):
            came = f" of {part.min()} to {part.max()}" if whole else ""
            raise InputError(f"{name}: expected {what} as whole numbers of 0 to {limit - 1}, got {part.dtype}{came}.")
    if (np.diff(step.astype(np.int64)) < 0).any():
        raise InputError(f"{name}: expected events in the order of their steps, got a step before the last one. Sort them.")
    if not np.isfinite(value).all():
        raise InputError(f"{name}: expected finite values, got NaN or infinity. Remove them.")
    return step, channel, value


def _array(part: Any) -> Any:
    return part.detach().numpy() if isinstance(part, Tensor) else np.asarray(part)


def _lists(rows: list[tuple[Any, Any, Any]], steps: int) -> EventLists:
    begin = np.cumsum([0, *(len(step) for step, _, _ in rows)])[:-1]
    until = np.stack([np.bincount(step.astype(np.int64), minlength=steps).cumsum() for step, _, _ in rows])
    channel, value = (np.concatenate([row[k] for row in rows]) for k in (1, 2))
    return EventLists(begin[:, None], until[:, None], channel.astype(np.uint32), value)


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
