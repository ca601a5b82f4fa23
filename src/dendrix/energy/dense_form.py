"""The twin of a spiking network as a network, to be trained and measured itself."""

import copy

from torch import nn

from ..errors import InputTypeError
from ..layers import LSQ, Sequential
from ..neurons import LI
from ..neurons.base import Neuron

_SPAN = 4.0
"""Largest activation at the start: inputs are normalised in most networks."""


def twin_network(network: Sequential, bits: int = 8) -> Sequential:
    """Return a copy of a network in which each layer of spiking neurons is a quantised activation without state.

    Its weights are copies of those of the spiking network. They have to be trained again, as spikes and activations differ.

    Args:
        network: a sequence of layers, such as a `DelayNet`. Its read-out, leaky integrators, stays.
        bits: bits of the activations, at least 1.
    Raises:
        InputTypeError: another kind of network, or one in which neurons lie inside other layers.
    """
    if not isinstance(network, Sequential):
        raise InputTypeError(f"network: expected a Sequential, got {type(network).__name__}. Build its dense form yourself and train it.")
    inner = [type(part).__name__ for stage in network.stages for part in stage.modules() if part is not stage and isinstance(part, Neuron)]
    if inner:
        raise InputTypeError(
            f"network: expected neurons as layers of their own, got {inner[0]} inside a layer. Build its dense form yourself."
        )
    step = _SPAN / (2**bits - 1)
    spiking = [isinstance(stage, Neuron) and not isinstance(stage, LI) for stage in network.stages]
    stages: list[nn.Module] = [
        LSQ(bits, step) if fires else copy.deepcopy(stage) for fires, stage in zip(spiking, network.stages, strict=True)
    ]
    return Sequential(*stages)
