"""Lowering of a network to layers of synapses and neurons in float64: BatchNorm, scaled inputs and spike amplitudes folded in."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import InputError
from ..layers import BatchNorm, DelayLinear, HeldDropout, PerStep, Recurrent, RecurrentDelay, Sequential, SparseLinear, freeze
from ..layers.delay.base import delay_layers
from ..neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF, Neuron
from .plain import expect_plain

Floats = NDArray[np.float64]
_EXACT = (IF, LI, LIF, PLIF, AdLIF, CubaLIF)


@dataclass(frozen=True)
class Synapses:
    """Weighted connections with delays, [out, in, K] each, where K is the number of synapses per pair of neurons."""

    weight: Floats
    delay: NDArray[np.int64]
    """In whole steps, 0 to `taps` - 1."""
    taps: int

    @property
    def inputs(self) -> int:
        """Number of neurons or channels that they start from."""
        return int(self.weight.shape[1])


@dataclass(frozen=True)
class Population:
    """Neurons of one kind, with one value per neuron [N], in the units of the network. The equations are those of `dendrix.neurons`."""

    kind: str
    """"lif" (also IF, whose decay is 1), "cuba", "adlif" or "li"."""
    decay: Floats
    threshold: Floats
    """Infinite for "li"."""
    reset: Floats | None
    """Membrane after a spike; None subtracts the threshold."""
    start: Floats
    """Membrane before the first step."""
    slow_decay: Floats
    """Decay of the synaptic current ("cuba") or of the adaptation ("adlif")."""
    coupling: Floats
    """Coupling of the membrane into the adaptation ("adlif"), which is in units of the membrane here."""
    jump: Floats
    """Jump of the adaptation at a spike ("adlif"), in units of the membrane."""


@dataclass(frozen=True)
class Layer:
    """Synapses and the neurons that they feed: drive = sum of delayed weighted inputs + bias + feedback."""

    path: str
    synapses: Synapses
    bias: Floats
    neurons: Population
    feedback: Synapses | None = None
    """Synapses from the neurons of the layer to itself. A spike arrives in the next step, or `delay` steps later than that."""


@dataclass
class _Open:
    """A layer that is being read: its synapses are known, its neurons are not."""

    path: str
    synapses: Synapses | None = None
    bias: Floats = field(default_factory=lambda: np.zeros(0))
    amplitude: Floats | None = None
    """Value of a spike of the layer before, [in]."""
    layers: list[Layer] = field(default_factory=list)


def lower(network: nn.Module) -> list[Layer]:
    """Read a network as layers of synapses and neurons.

    Args:
        network: delay or linear layers, BatchNorm, dropout and neurons in sequence; a last layer without neurons is read as integrators
            with decay 0. Delays are rounded, in a copy.
    Raises:
        InputError: a part has no such form, a forward of its own, or hooks; it is named.
    """
    expect_plain(network)
    read = _Open("")
    whole = all(layer.rounded for layer in delay_layers(network))
    for path, part in _parts("", network if whole else freeze(network)):
        read.path = path
        _read(part, read)
    if read.synapses is not None:
        _close(read, _integrators(len(read.bias), decay=0.0))
    if not read.layers:
        raise InputError(f"network: expected layers of synapses and neurons, got {type(network).__name__} without any.")
    return read.layers


def _parts(path: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The parts of nested sequences, in order, with their paths."""
    if isinstance(module, Sequential | nn.Sequential):
        if getattr(getattr(module, "config", None), "padding", "causal") != "causal":
            raise InputError(
                "padding: expected 'causal', got 'published', which appends steps in every layer. Train with padding='causal'."
            )
        for name, child in (module.stages if isinstance(module, Sequential) else module).named_children():
            yield from _parts(f"{path}.{name}".lstrip("."), child)
    elif isinstance(module, PerStep):
        yield from _parts(path, module.module)
    else:
        yield path, module


@singledispatch
def _read(part: Any, read: _Open) -> None:
    """Add one part to what has been read."""
    raise InputError(
        f"{read.path or 'network'}: expected delays, linear layers, BatchNorm, dropout or neurons (LIF, IF, PLIF, CubaLIF, AdLIF, LI), "
        f"got {type(part).__name__}, which cannot be lowered. Replace it."
    )


@_read.register(HeldDropout)
@_read.register(nn.Dropout)
@_read.register(nn.Identity)
def _skip(part: nn.Module, read: _Open) -> None:
    """Nothing: the network is in evaluation mode."""


@_read.register
def _delays(part: DelayLinear, read: _Open) -> None:
    if part.padding != "causal":
        raise InputError(f"{read.path}: expected padding='causal', got '{part.padding}', which appends steps. Train with causal padding.")
    _connect(read, _synapses(part.weight, part.integer_delay(), part.taps), np.zeros(part.out_features))


@_read.register(nn.Linear)
@_read.register(SparseLinear)
def _linear(part: nn.Linear | SparseLinear, read: _Open) -> None:
    weight = part.dense_weight() if isinstance(part, SparseLinear) else part.weight
    bias = np.zeros(len(weight)) if part.bias is None else _numbers(part.bias)
    _connect(read, _synapses(weight.unsqueeze(2), torch.zeros(1, 1, 1, dtype=torch.int64), 1), bias)


@_read.register(BatchNorm)
@_read.register(nn.BatchNorm1d)
def _normalisation(part: BatchNorm | nn.BatchNorm1d, read: _Open) -> None:
    if read.synapses is None or part.running_mean is None or part.running_var is None:
        raise InputError(f"{read.path}: expected BatchNorm behind a linear or delay layer, with running statistics. Move it there.")
    gain = 1 / np.sqrt(_numbers(part.running_var) + part.eps)
    shift = -_numbers(part.running_mean) * gain
    if part.weight is not None:
        gain, shift = gain * _numbers(part.weight), shift * _numbers(part.weight) + _numbers(part.bias)
    _scale(read, gain)
    read.bias = read.bias + shift


@_read.register
def _neurons(part: Neuron, read: _Open) -> None:
    _finish(part, None, read)


@_read.register
def _recurrent_delay(part: RecurrentDelay, read: _Open) -> None:
    _finish(part.inner, _synapses(part.weight.unsqueeze(2), part.integer_delay().view(1, -1, 1), part.taps), read)


@_read.register
def _recurrent(part: Recurrent, read: _Open) -> None:
    if not isinstance(part.feedback, nn.Linear):
        raise InputError(f"{read.path}.feedback: expected nn.Linear, got {type(part.feedback).__name__}. Replace it.")
    none = torch.zeros(1, 1, 1, dtype=torch.int64)
    if read.synapses is not None and part.feedback.bias is not None:
        read.bias = read.bias + _numbers(part.feedback.bias)
    _finish(part.inner, _synapses(part.feedback.weight.unsqueeze(2), none, 1), read)


def _synapses(weight: Tensor, delay: Tensor, taps: int) -> Synapses:
    whole: NDArray[np.int64] = np.broadcast_to(delay.cpu().numpy(), tuple(weight.shape)).astype(np.int64)
    return Synapses(_numbers(weight), whole, taps)


def _connect(read: _Open, synapses: Synapses, bias: Floats) -> None:
    if read.synapses is not None:
        raise InputError(f"{read.path}: expected neurons between two layers of synapses, got none. Merge the two into one.")
    if read.layers and read.layers[-1].neurons.kind == "li":
        raise InputError(f"{read.path}: expected LI as the last part of the network, got synapses behind it. Use neurons that spike.")
    if read.amplitude is not None:
        synapses = replace(synapses, weight=synapses.weight * read.amplitude[None, :, None])
    read.synapses, read.bias = synapses, bias


def _scale(read: _Open, gain: Floats) -> None:
    """Scale what the open synapses send to their neurons, [out]."""
    assert read.synapses is not None
    read.synapses = replace(read.synapses, weight=read.synapses.weight * gain[:, None, None])
    read.bias = read.bias * gain


def _finish(neuron: Neuron, feedback: Synapses | None, read: _Open) -> None:
    """Close a layer with its neurons."""
    if type(neuron) not in _EXACT:
        raise InputError(
            f"{read.path}: expected LIF, IF, PLIF, CubaLIF, AdLIF or LI, got {type(neuron).__name__}, which cannot be lowered."
        )
    if read.synapses is None:
        raise InputError(
            f"{read.path}: expected neurons behind a linear or delay layer, got {type(neuron).__name__} first. Put one before."
        )
    values = {name: _each(neuron.size, value) for name, value in neuron.params().items() if isinstance(value, Tensor | float | int)}
    amplitude = values.get("amplitude")
    if feedback is not None and amplitude is not None:
        feedback = replace(feedback, weight=feedback.weight * amplitude[None, :, None])
    if isinstance(neuron, AdLIF) or neuron.params().get("scale_input"):
        _scale(read, 1 - values["decay"])
        if feedback is not None:
            feedback = replace(feedback, weight=feedback.weight * (1 - values["decay"])[:, None, None])
    _close(read, _population(neuron, values), feedback)
    read.amplitude = amplitude


def _close(read: _Open, neurons: Population, feedback: Synapses | None = None) -> None:
    assert read.synapses is not None
    read.layers.append(Layer(read.path, read.synapses, read.bias, neurons, feedback))
    read.synapses = None


def _population(neuron: Neuron, values: dict[str, Floats]) -> Population:
    if isinstance(neuron, LI):
        return _integrators(neuron.size, values["decay"])
    base = Population(
        kind="lif",
        decay=values.get("decay", np.ones(neuron.size)),
        threshold=values["v_threshold"],
        reset=values.get("v_reset"),
        start=_each(neuron.size, getattr(neuron, "v_init", 0.0)),
        slow_decay=np.zeros(neuron.size),
        coupling=np.zeros(neuron.size),
        jump=np.zeros(neuron.size),
    )
    if isinstance(neuron, CubaLIF):
        return replace(base, kind="cuba", slow_decay=values["decay_syn"])
    if isinstance(neuron, AdLIF):
        # The adaptation is held times 1 - decay, so that the membrane takes it as it is.
        held = 1 - values["decay"]
        return replace(base, kind="adlif", slow_decay=values["decay_w"], coupling=held * values["a"], jump=held * values["b"])
    return base


def _integrators(size: int, decay: Floats | float) -> Population:
    nothing = np.zeros(size)
    return Population("li", np.broadcast_to(decay, size).astype(float), np.full(size, np.inf), None, nothing, nothing, nothing, nothing)


def _numbers(value: Tensor) -> Floats:
    found: Floats = value.detach().double().cpu().numpy()
    if not np.isfinite(found).all():
        raise InputError("weights: expected finite numbers, got NaN or infinity. Its training diverged: load an earlier state.")
    return found


def _each(size: int, value: Any) -> Floats:
    """A value per neuron, [N]."""
    plain = _numbers(value) if isinstance(value, Tensor) else np.float64(value)
    return np.broadcast_to(plain, size).astype(np.float64)
