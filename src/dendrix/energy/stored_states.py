"""States that modules read and write at every step. Register a function of `stored` for a new type of module to have its state counted."""

from functools import singledispatch
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..core import State, zero_invalid
from ..core.state import leaves
from ..layers import Recurrent, RecurrentDelay
from ..models.spikegpt.attention import QUERY, LocalAttention, LocalState
from ..models.spikegpt.blocks import ChannelMix, TimeMix
from ..neurons import LI
from ..neurons.base import Neuron
from ..neurons.lif import LIFState

_WKV_MACS = 7
"""Multiplications for a channel of WKV, as in the energy model of SpikeGPT; its exponentials and division are not counted."""


class Stored(NamedTuple):
    """State of a module for one input; fields as in `StateUse`."""

    values: int
    neurons: int
    macs: float
    spiking: bool


@singledispatch
def stored(module: nn.Module, given: dict[str, Any], y: Any) -> tuple[Stored, ...]:
    """Return the states that a module reads and writes at every step, without those of its sub-modules and without delay lines.

    Register a function with `@stored.register` for a class of modules that return (y [B, T, ...], state); by default, a module has no
    state.

    Args:
        module: the called module.
        given: arguments of its `forward` by name.
        y: its return value.
    """
    return ()


@stored.register
def _neurons(module: Neuron, given: dict[str, Any], y: tuple[Tensor, State]) -> tuple[Stored, ...]:
    """One multiplication, by its decay, for each number."""
    return (_of(y[1], y[0], spiking=not isinstance(module, LI)),)


@stored.register(Recurrent)
@stored.register(RecurrentDelay)
def _recurrent(module: nn.Module, given: dict[str, Any], y: tuple[Tensor, Any]) -> tuple[Stored, ...]:
    return (_of(y[1].inner, y[0], spiking=True),)


@stored.register(TimeMix)
@stored.register(ChannelMix)
def _mix(module: TimeMix | ChannelMix, given: dict[str, Any], y: tuple[Tensor, Any]) -> tuple[Stored, ...]:
    """The membranes of the neurons; and the shifted input, with the running average of a time mix."""
    _, state = y
    membranes = tuple(_of(part, part.v.unsqueeze(1), spiking=True) for part in state.membranes)
    average = leaves(state.wkv) if isinstance(module, TimeMix) else []
    values = sum(leaf[0].numel() for leaf in [state.shift, *average])
    return (*membranes, Stored(values, 0, _WKV_MACS * average[0][0].numel() if average else 0.0, False))


@stored.register
def _local(module: LocalAttention, given: dict[str, Any], y: tuple[Tensor, LocalState]) -> tuple[Stored, ...]:
    """The membranes of the gates; and the window, which heads read and multiply for the share of tokens at which their gates fire."""
    x, state, valid = given["x"], given.get("state"), given.get("valid")
    gates, share, after = [], 1.0, y[1].gate
    if module.gate is not None and isinstance(after, LIFState):
        product = getattr(module.current, "product", module.current)  # that of one unfolded into several
        current = product.forward(zero_invalid(x, valid))  # `forward` calls no hooks, which would count it twice
        fired, _ = module.gate.forward(current, state and state.gate, valid)
        share = (fired.sum() / (fired[..., 0].numel() if valid is None else valid.sum().clamp_min(1))).item() / module.heads
        gates = [_of(after, after.v.unsqueeze(1), spiking=True)]
    read = share * module.window * (module.heads * QUERY + module.width)
    return (*gates, Stored(round(read), 0, read, False))


def _of(state: State, y: Tensor, spiking: bool) -> Stored:
    values = sum(leaf[0].numel() for leaf in leaves(state))
    return Stored(values, y[0, 0].numel(), float(values), spiking)
