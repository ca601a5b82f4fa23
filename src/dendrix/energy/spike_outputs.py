"""Spikes and other sparse codes that modules return. Register a function of `spikes` for a new type of module to measure its rate."""

from functools import singledispatch
from typing import Any

from torch import Tensor, nn

from ..layers import DendriticSegments, KWinners, Recurrent, RecurrentDelay
from ..models.spikegpt.blocks import ChannelMix, TimeMix
from ..models.spikegpt.network import SpikeGPTBody
from ..neurons import LI
from ..neurons.base import Neuron


@singledispatch
def spikes(module: nn.Module, given: dict[str, Any], y: Any) -> Tensor | None:
    """Return the spikes of one call of a module, [B, T, ...], nonzero where it fires; None if the module has none.

    Register a function with `@spikes.register` for a class of modules; by default, a module has no spikes.

    Args:
        module: the called module.
        given: arguments of its `forward` by name.
        y: its return value.
    """
    return None


@spikes.register(Neuron)
@spikes.register(Recurrent)
@spikes.register(RecurrentDelay)
@spikes.register(KWinners)
@spikes.register(DendriticSegments)
def _outputs(module: nn.Module, given: dict[str, Any], y: tuple[Tensor, Any]) -> Tensor:
    return y[0]


@spikes.register
def _read_out(module: LI, given: dict[str, Any], y: Any) -> None:
    return None


@spikes.register(TimeMix)
@spikes.register(ChannelMix)
def _mixed(module: TimeMix | ChannelMix, given: dict[str, Any], y: tuple[Tensor, Any]) -> Tensor | None:
    return y[0] if module.spikes == "output" else None


@spikes.register
def _embedding(module: SpikeGPTBody, given: dict[str, Any], y: Any) -> Tensor | None:
    return module.emb(given["x"]) >= 0 if module.config.binary_embedding else None
