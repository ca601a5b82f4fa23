"""A valid call of every public constructor of neurons, layers and models, and for each kind of argument the values it refuses."""

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dendrix import layers, models, neurons
from dendrix.convert.max_pool import SpikingMaxPool
from dendrix.core import ATan, Boxcar, Sigmoid, Triangle
from dendrix.models.decision import Decision
from dendrix.models.spikegpt.attention import LocalAttention
from dendrix.models.spikegpt.blocks import Block, ChannelMix, TimeMix
from dendrix.models.spikegpt.neurons import NeuronConfig, SpikeNeurons
from dendrix.neurons import LIF
from dendrix.neurons.base import PerNeuron

CALLS: dict[Callable[..., Any], dict[str, Any]] = {
    neurons.LIF: dict(size=3),
    neurons.LI: dict(size=3),
    neurons.PLIF: dict(size=3),
    neurons.IF: dict(size=3),
    neurons.SignedIF: dict(size=3, limit=4),
    neurons.AdLIF: dict(size=3),
    neurons.CubaLIF: dict(size=3),
    neurons.Decay: dict(size=3, tau_ms=5.0, dt_ms=1.0),
    layers.ActiveDendrites: dict(size=3, context_size=4, segments=2),
    layers.BatchNorm: dict(size=3),
    layers.ClippedReLU: dict(),
    layers.DelayLinear: dict(in_features=3, out_features=2),
    layers.DendriticSegments: dict(size=5, segments=2, synapses=3, theta=2),
    layers.HeldDropout: dict(),
    layers.KWinners: dict(size=10, winners=3),
    layers.LSQ: dict(),
    layers.PerStep: dict(module=nn.Linear(3, 3)),
    layers.QCFS: dict(),
    layers.Recurrent: dict(inner=LIF(3), feedback=nn.Linear(3, 3)),
    layers.RecurrentDelay: dict(inner=LIF(3)),
    layers.SparseLinear: dict(in_features=3, out_features=3),
    SpikingMaxPool: dict(pool=nn.MaxPool2d(2)),
    TimeMix: dict(width=4),
    ChannelMix: dict(width=4),
    LocalAttention: dict(width=4, window=3),
    Block: dict(width=4, spikes="output", v_threshold=1.0, first=True, channel_only=False, dropout=0.1),
    ATan: dict(),
    Boxcar: dict(),
    Sigmoid: dict(),
    Triangle: dict(),
    Decision: dict(),
    models.DelayNetConfig: dict(inputs=3, outputs=2, hidden=(4,), decay=0.5, recurrent_delay_ms=20.0),
    models.DelayNet: dict(config=models.DelayNetConfig(3, 2, (4,), max_delay_ms=20.0)),
    models.DendriticNetConfig: dict(inputs=3, outputs=2, hidden=(4,)),
    models.DendriticNet: dict(config=models.DendriticNetConfig(3, 2, (4,))),
    NeuronConfig: dict(),
    SpikeNeurons: dict(size=4),
    models.SpikeGPTConfig: dict(vocab_size=7, width=4, layers=1),
    models.SpikeGPT: dict(config=models.SpikeGPTConfig(7, 4, 1)),
    models.GPT2Config: dict(vocab_size=7, width=8, layers=1),
    models.LSTMConfig: dict(vocab_size=7, width=8, layers=1),
    models.LSTM: dict(config=models.LSTMConfig(7, 8, 1)),
    models.VGGConfig: dict(stages=((2,),), hidden=(3,)),
    models.VGG: dict(config=models.VGGConfig(stages=((2,),))),
    models.ResNetConfig: dict(channels_of=(2,), blocks=(1,)),
    models.ResNet: dict(config=models.ResNetConfig(channels_of=(2,), blocks=(1,))),
    models.ConvertedConfig: dict(ann="vgg", ann_config=vars(models.VGGConfig(stages=((2,),)))),
}
"""Arguments with which each constructor succeeds."""

FREE = {"ann_config", "name"}
"""Arguments of any value: a description that is checked when it is built, and a name for messages."""

_WORDS: tuple[Any, ...] = (None, "3", [], {}, {1: 2}, {1, 2}, 1j, object(), math.nan, math.inf, -math.inf)
_HUGE: tuple[Any, ...] = (1e39, 1e300, 10**400, 10**5000)
_COUNTS: tuple[Any, ...] = (*_WORDS, 2.5, True, 0.5, -1, 10**30, 10**5000, [3], torch.zeros(2, 2))
_NUMBERS: tuple[Any, ...] = (*_WORDS, *_HUGE, True, [1.0, 2.0], torch.zeros(2, 2), np.array("x"))
_PER_NEURON: tuple[Any, ...] = (*_WORDS, *_HUGE, True, [[1.0]], torch.zeros(2, 2), [math.nan] * 3, ["a"] * 3, [True] * 3)
_FLAGS: tuple[Any, ...] = (*_WORDS, 0, 1, 1.0, torch.zeros(2, 2))
_CHOICES: tuple[Any, ...] = (None, 3, "no such word", ["output"], math.nan, torch.zeros(2, 2), 10**5000)
_SIZES: tuple[Any, ...] = (None, 3, "128", (2.5,), (0,), (-1,), (True,), ("3",), (math.nan,), (10**30,))
_STAGES: tuple[Any, ...] = (None, 3, "128", (16,), ((),), ((2.5,),), ((0,),), ((True,),))
_PER_CHANNEL: tuple[Any, ...] = (None, "128", (), (math.nan,), ("3",), (True,), (1e39,))
_OBJECTS: tuple[Any, ...] = (None, 3, "LIF", 2.5, object(), LIF, {}, 10**5000)


def refused(valid: Any, annotation: Any) -> tuple[Any, ...]:
    """Values that an argument refuses, by a value that it accepts and its annotation."""
    if annotation in (PerNeuron, PerNeuron | None):
        return _PER_NEURON
    if annotation == (float | Sequence[float] | Tensor):  # of any number of channels
        return _PER_NEURON
    if annotation == float | None:
        return _NUMBERS
    if isinstance(valid, tuple):
        return _STAGES if isinstance(valid[0], tuple) else _PER_CHANNEL if isinstance(valid[0], float) else _SIZES
    kinds = {bool: _FLAGS, int: _COUNTS, float: _NUMBERS, str: _CHOICES}
    return kinds.get(type(valid), _OBJECTS)


def wrong_calls() -> Iterator[tuple[Callable[..., Any], str, Any]]:
    """Every constructor with each of its arguments and every value that it refuses."""
    for kind, given in CALLS.items():
        for name, parameter in inspect.signature(kind).parameters.items():
            if name in FREE:
                continue
            for value in refused(given.get(name, parameter.default), parameter.annotation):
                accepted = value is None and "None" in str(parameter.annotation)
                if not accepted:
                    yield kind, name, value


def public(package: Any) -> set[Any]:
    """The classes that a package exports."""
    found = (getattr(package, name) for name in package.__all__)
    return {kind for kind in found if isinstance(kind, type) and (issubclass(kind, nn.Module) or is_dataclass(kind))}
