"""Traffic of a measured network: operations, and bytes moved between the stores of its values and the arithmetic."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .hardware.model import WORD_BYTES, Reuse
from .report import Layer, Report, StateUse

Store = Literal["weights", "activations", "spikes", "sums", "delay lines", "states"]
SUM_BYTES = 4
"""Bytes of a partial sum or of a number of a state."""
DELAY_BYTES = 1
"""Bytes of the delay of a synapse, which is read with its weight."""


class Moved(NamedTuple):
    """Bytes that one layer reads from and writes to one of its stores, summed over all inputs."""

    layer: str
    store: Store
    n_bytes: float
    size: float
    """Size of the store, in bytes."""


@dataclass(frozen=True)
class Traffic:
    """Operations and memory traffic, summed over all inputs of a report."""

    macs: float
    """Multiplications of the products with numbers as inputs."""
    acs: float
    """Additions of the products with spikes as inputs."""
    neurons: float
    """Updates of neurons."""
    neuron_macs: float
    """Multiplications in them."""
    other_macs: float
    """Multiplications of other states, such as the running averages of WKV."""
    spikes: float
    """Spikes that arrive at products."""
    steps: float
    """Time steps."""
    moved: tuple[Moved, ...]

    def moved_bytes(self, store: Store) -> float:
        """Return the bytes moved from and to one kind of store."""
        return sum(part.n_bytes for part in self.moved if part.store == store)


def count_traffic(report: Report, numbers: str = "int8", reuse: Reuse = "full", activation_bits: int | None = None) -> Traffic:
    """Compute the memory traffic of a report.

    With reuse "full", a value moves once per input or time step and product, as in an array of multipliers with enough registers; with
    "none", every operation reads its weight, an addition also reads and writes its sum, and a multiplication reads its input. Spikes are
    stored as one bit per neuron or as a list of addresses, whichever is smaller.

    Args:
        report: result of `measure`.
        numbers: format of weights and activations: "int8", "int32" or "float32".
        reuse: how often a value moves.
        activation_bits: bits of an activation; None: as the format.
    """
    word = WORD_BYTES[numbers]
    value = word if activation_bits is None else activation_bits / 8
    moved = [part for layer in report.layers for part in _layer(layer, word, value, reuse)]
    moved += [_state(state) for state in report.states if state.values]
    operations = report.operations
    return Traffic(
        operations.macs,
        operations.acs,
        float(sum(state.rows * state.neurons for state in report.states)),
        float(sum(state.rows * state.macs for state in report.states if state.neurons)),
        float(sum(state.rows * state.macs for state in report.states if not state.neurons)),
        sum(_fired(layer) for layer in report.layers if layer.spiking),
        float(report.steps),
        tuple(part for part in moved if part.n_bytes),
    )


def _layer(layer: Layer, word: float, value: float, reuse: Reuse) -> Iterator[Moved]:
    """Traffic of one product. Inputs are written by the layer before and read by this one."""
    uses = layer.reached if layer.spiking else layer.dense
    weights = uses if reuse == "none" else min(uses, layer.rows * layer.weights)
    waits = layer.delayed if layer.taps > 1 else None
    synapse = word + (DELAY_BYTES if waits == "synapses" else 0)
    yield Moved(layer.name, "weights", weights * synapse, layer.weights * synapse)
    if layer.spiking:
        spikes = _spike_bytes(layer)
        yield Moved(layer.name, "spikes", 2 * spikes, layer.inputs / 8)
        if waits != "synapses" and reuse == "none":
            yield Moved(layer.name, "sums", 2 * uses * SUM_BYTES, layer.outputs * SUM_BYTES)
        if waits == "synapses":  # each addition goes to the sum of a later step; the sum of this step is read and cleared
            touched = uses if reuse == "none" else min(uses, layer.rows * layer.outputs * layer.taps)
            size = layer.taps * layer.outputs * SUM_BYTES
            yield Moved(layer.name, "delay lines", 2 * (touched + layer.rows * layer.outputs) * SUM_BYTES, size)
        if waits == "inputs":
            yield Moved(layer.name, "delay lines", 2 * spikes, layer.taps * layer.inputs / 8)
    else:
        written = layer.rows * layer.inputs
        if waits == "synapses":  # each synapse reads the input of another step
            read = uses if reuse == "none" else min(uses, written * layer.taps)
            yield Moved(layer.name, "delay lines", (written + read) * value, layer.taps * layer.inputs * value)
        else:
            read = uses if reuse == "none" else written
            yield Moved(layer.name, "activations", (written + read) * value, layer.inputs * value)
        if waits == "inputs":
            yield Moved(layer.name, "delay lines", 2 * written * value, layer.taps * layer.inputs * value)
    if waits == "outputs":
        sums = layer.outputs * max(layer.weights // max(layer.inputs * layer.outputs, 1), 1)
        yield Moved(layer.name, "delay lines", 2 * layer.rows * sums * SUM_BYTES, layer.taps * sums * SUM_BYTES)


def _state(state: StateUse) -> Moved:
    return Moved(state.name, "states", 2.0 * state.rows * state.values * SUM_BYTES, state.values * SUM_BYTES)


def _fired(layer: Layer) -> float:
    return layer.rate * layer.rows * layer.inputs


def _spike_bytes(layer: Layer) -> float:
    """Bytes of all spikes of a layer: a bit per neuron or an address per spike, and another bit for the sign."""
    sign = int(layer.kind == "signed spikes")
    address = math.ceil(math.log2(max(layer.inputs, 2))) + sign
    return min(layer.rows * layer.inputs * (1 + sign), _fired(layer) * address) / 8
