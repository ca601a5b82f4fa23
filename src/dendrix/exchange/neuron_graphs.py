"""Neurons that NIR has no node for, built of several of its nodes: the same spikes, up to rounding."""

from typing import Any

import numpy as np

from ..neurons import AdLIF, SignedIF
from .nodes import Array
from .writer import Signal, Writer, merged, per_neuron, time_constants


def write_adaptive(neuron: AdLIF, writer: Writer, source: Signal, name: str) -> Signal:
    """Append adaptive neurons: an integrator and a Threshold, and a second integrator for the adaptation.

    Feedback takes a step. So the first integrator gets the adaptation that follows from the membrane and spike of the step before, as
    `adlif_step` has it.
    """
    shape, given = source.shape, neuron.params()
    decay, decay_w, a, b, threshold = (per_neuron(given[key], shape) for key in ("decay", "decay_w", "a", "b", "v_threshold"))
    (tau, leak), (tau_w, leak_w) = (time_constants(value, writer) for value in (decay, decay_w))
    rest = np.zeros(shape)
    membrane = writer.add(name, "LI", {"tau": tau, "r": np.ones(shape), "v_leak": rest}, source)
    spikes = _above(writer, f"{name}_spikes", membrane, _below(threshold))
    slow = {"tau": tau_w, "r": 1 / leak_w, "v_leak": rest}
    adaptation = writer.add(f"{name}_adaptation", "LI", slow, _scaled(writer, f"{name}_a", membrane, a))
    writer.link(_scaled(writer, f"{name}_b", spikes, b), adaptation)
    writer.link(_scaled(writer, f"{name}_slow", adaptation, -1.0), membrane)
    writer.link(_scaled(writer, f"{name}_reset", spikes, -decay * threshold / leak), membrane)
    return spikes


def write_signed(neuron: SignedIF, writer: Writer, source: Signal, name: str) -> Signal:
    """Append signed neurons: an integrator of input and of what was sent, one that counts spikes, and a Threshold for each condition."""
    shape = source.shape
    threshold, start = (per_neuron(value, shape) for value in (neuron.params()["v_threshold"], neuron.v_init))
    rate = {"r": np.full(shape, 1 / writer.dt)}
    membrane = writer.add(name, "I", rate, source)
    fires = _above(writer, f"{name}_reached", membrane, _below(threshold - start))
    falls = _above(writer, f"{name}_fell", _scaled(writer, f"{name}_turned", membrane, -1.0), start)
    # Readers expect an edge into every node that is no feedback.
    count = writer.add(f"{name}_sent", "I", rate, _scaled(writer, f"{name}_start", source, 0.0))
    some = _above(writer, f"{name}_some", count, 0.5)
    up, down = fires, _both(writer, f"{name}_minus", falls, some)
    if neuron.limit is not None:
        room = _above(writer, f"{name}_room", _scaled(writer, f"{name}_left", count, -1.0), 0.5 - neuron.limit)
        up = _both(writer, f"{name}_plus", fires, room)
    writer.link(up, count)
    writer.link(_scaled(writer, f"{name}_less", down, -1.0), count)
    y = merged(_scaled(writer, f"{name}_y", up, threshold), _scaled(writer, f"{name}_cancel", down, -threshold))
    writer.link(_scaled(writer, f"{name}_taken", y, -1.0), membrane)
    return y


def _below(threshold: Array) -> Array:
    """The largest single-precision number below the threshold: what exceeds it has reached the threshold."""
    return np.nextafter(threshold.astype(np.float32), np.float32(-np.inf))


def _above(writer: Writer, name: str, source: Signal, threshold: Any) -> Signal:
    return writer.add(name, "Threshold", {"threshold": np.broadcast_to(threshold, source.shape).copy()}, source)


def _scaled(writer: Writer, name: str, source: Signal, scale: Any) -> Signal:
    return writer.add(name, "Scale", {"scale": np.broadcast_to(scale, source.shape).copy()}, source)


def _both(writer: Writer, name: str, first: Signal, second: Signal) -> Signal:
    """One where both signals are."""
    return _above(writer, name, merged(first, second), 1.5)
