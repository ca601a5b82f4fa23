"""Delay layers as plain NIR nodes, whose Delay has one delay for each element.

Axonal delays come before the weights and dendritic ones after them, with a branch for each of K synapses. Synaptic delays need a signal
for each distinct pair of an input and a lag ("lag-rows": one-hot rows, delays, weights), a branch for each lag ("branches"), or a signal
for each synapse ("synapses").
"""

from typing import Literal, get_args

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..layers import DelayLinear, RecurrentDelay
from .nodes import Array
from .writer import Signal, Writer

Construction = Literal["lag-rows", "branches", "synapses"]
CONSTRUCTIONS: tuple[str, ...] = get_args(Construction)


def write_delays(
    layer: DelayLinear, writer: Writer, source: Signal, name: str, scale: Tensor | None = None, bias: Tensor | None = None
) -> Signal:
    """Append a delay layer.

    Args:
        layer: with its delays rounded.
        writer: the graph.
        source: its input.
        name: name of the layer.
        scale: factor of each output, [C_out].
        bias: of each output, [C_out], which arrives undelayed.
    Raises:
        InputError: the layer pads its sequences as published, or its delays are not rounded.
    """
    if layer.padding == "published":
        raise InputError(f"{name}: expected padding='causal', got 'published', which makes sequences longer. Train with causal padding.")
    if not layer.rounded:
        raise InputError(f"{name}: expected delays in whole steps, got learned ones. Agree to rounding with round_delays=True.")
    scaled = layer.weight.detach() if scale is None else layer.weight.detach() * scale.view(-1, 1, 1)
    weight: Array = scaled.cpu().numpy()
    lags = layer.integer_delay().cpu().numpy()
    if layer.taps == 1:
        return _linear(writer, name, weight.sum(2), bias, source)
    names: tuple[str, ...] = ()
    if layer.granularity == "synaptic":
        lags = np.broadcast_to(lags, weight.shape)
        write = {"lag-rows": _rows, "branches": _branches, "synapses": _synapses}[writer.construction]
        names = write(writer, name, weight, lags, source)
    else:
        for k in range(weight.shape[2]):
            if layer.granularity == "axonal":
                late = writer.add(f"{name}_delay", "Delay", {"delay": lags[0, :, k] * writer.dt}, source)
                names += _linear(writer, f"{name}_weight", weight[:, :, k], None, late).names
            else:
                sums = _linear(writer, f"{name}_weight", weight[:, :, k], None, source)
                names += writer.add(f"{name}_delay", "Delay", {"delay": lags[:, 0, k] * writer.dt}, sums).names
    if bias is not None:
        silent = np.zeros((layer.out_features, layer.in_features), weight.dtype)
        names += _linear(writer, f"{name}_bias", silent, bias, source).names
    return Signal(names, (layer.out_features,))


def write_feedback(layer: RecurrentDelay, writer: Writer, neuron: Signal, name: str) -> Signal:
    """Append the delays and weights of recurrent connections behind their neurons.

    Raises:
        InputError: the delays are not rounded.
    """
    if not layer.rounded:
        raise InputError(f"{name}: expected delays in whole steps, got learned ones. Agree to rounding with round_delays=True.")
    lags = layer.integer_delay().cpu().numpy() + int(writer.feedback_step)
    late = writer.add(f"{name}_delay", "Delay", {"delay": lags * writer.dt}, neuron)
    return _linear(writer, f"{name}_feedback", layer.weight.detach().cpu().numpy(), None, late)


def _linear(writer: Writer, name: str, weight: Array, bias: Tensor | None, source: Signal) -> Signal:
    params = {"weight": weight} if bias is None else {"weight": weight, "bias": bias.detach().cpu().numpy()}
    return writer.add(name, "Linear" if bias is None else "Affine", params, source, (weight.shape[0],))


def _rows(writer: Writer, name: str, weight: Array, lags: Array, source: Signal) -> tuple[str, ...]:
    """One row for each distinct (input, lag)."""
    out, into, count = weight.shape
    pairs, row = np.unique(
        np.stack([np.broadcast_to(np.arange(into)[:, None], lags.shape), lags]).reshape(2, -1), axis=1, return_inverse=True
    )
    pick = np.zeros((pairs.shape[1], into), weight.dtype)
    pick[np.arange(pairs.shape[1]), pairs[0]] = 1
    spread = np.zeros((out, pairs.shape[1]), weight.dtype)
    np.add.at(spread, (np.repeat(np.arange(out), into * count), row.ravel()), weight.ravel())
    return _through(writer, name, pick, pairs[1], spread, source)


def _synapses(writer: Writer, name: str, weight: Array, lags: Array, source: Signal) -> tuple[str, ...]:
    """One row for each synapse."""
    out, into, count = weight.shape
    places = np.arange(weight.size)
    pick = np.zeros((weight.size, into), weight.dtype)
    pick[places, places // count % into] = 1
    spread = np.zeros((out, weight.size), weight.dtype)
    spread[places // (into * count), places] = weight.ravel()
    return _through(writer, name, pick, lags.ravel(), spread, source)


def _through(writer: Writer, name: str, pick: Array, lags: Array, spread: Array, source: Signal) -> tuple[str, ...]:
    picked = _linear(writer, f"{name}_pick", pick, None, source)
    late = writer.add(f"{name}_delay", "Delay", {"delay": lags * writer.dt}, picked)
    return _linear(writer, f"{name}_weight", spread, None, late).names


def _branches(writer: Writer, name: str, weight: Array, lags: Array, source: Signal) -> tuple[str, ...]:
    """One branch for each lag in use."""
    names: tuple[str, ...] = ()
    for lag in np.unique(lags):
        masked = np.where(lags == lag, weight, 0).sum(2)
        late = source if lag == 0 else writer.add(f"{name}_delay{lag}", "Delay", {"delay": np.full(source.shape, lag * writer.dt)}, source)
        names += _linear(writer, f"{name}_weight{lag}", masked, None, late).names
    return names
