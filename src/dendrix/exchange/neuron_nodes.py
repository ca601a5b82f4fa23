"""The NIR node of each type of neurons."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF, Neuron, SignedIF
from ..neurons.nir import NIRNeuron
from .neuron_graphs import write_adaptive, write_signed
from .nodes import Array
from .writer import Signal, Writer, per_neuron, time_constants


def write_neuron(neuron: Neuron, writer: Writer, source: Signal, name: str) -> Signal:
    """Append neurons, and a Scale where their spikes are not 1.

    A membrane that starts at v_init instead of 0 is written relative to it: threshold, reset and leak move down by v_init.

    Raises:
        InputError: NIR has no such neurons.
    """
    if isinstance(neuron, NIRNeuron):
        return _coefficients(neuron, writer, source, name)
    if isinstance(neuron, AdLIF):
        return write_adaptive(neuron, writer, source, name)
    if isinstance(neuron, SignedIF):
        return write_signed(neuron, writer, source, name)
    if not isinstance(neuron, IF | LI | LIF | PLIF | CubaLIF):
        told = f"{name} ({type(neuron).__name__}): expected neurons that NIR has, which these are not"
        raise InputError(f"{told}. Use LIF, CubaLIF, AdLIF, IF, SignedIF or LI.")
    shape = source.shape
    given = neuron.params()
    beta = per_neuron(given.get("decay", 1.0), shape)
    params: dict[str, Any] = {}
    kind = "LIF"
    if isinstance(neuron, IF):
        kind = "IF"
        params["r"] = np.full(shape, 1 / writer.dt)
    else:
        tau, leak = time_constants(beta, writer)
        params |= {"tau": tau, "r": np.ones(shape) if given.get("scale_input") else 1 / leak, "v_leak": np.zeros(shape)}
    if isinstance(neuron, CubaLIF):
        kind = "CubaLIF"
        params["tau_mem"] = params.pop("tau")
        params["tau_syn"], leak = time_constants(per_neuron(given["decay_syn"], shape), writer)
        params["w_in"] = 1 / leak
    if isinstance(neuron, LI):
        return writer.add(name, "LI", params, source)
    start = per_neuron(getattr(neuron, "v_init", 0.0), shape)
    threshold = per_neuron(given["v_threshold"], shape)
    soft = given.get("v_reset") is None
    params["v_threshold"] = threshold - start
    params["v_reset"] = (0 if soft else per_neuron(given["v_reset"], shape)) - start
    if "v_leak" in params:
        params["v_leak"] = -start
    y = writer.add(name, kind, params, source, fires=">=", reset="soft" if soft else "hard")
    amplitude = per_neuron(given.get("amplitude", 1.0), shape)
    return y if (amplitude == 1).all() else writer.add(f"{name}_scale", "Scale", {"scale": amplitude}, y)


@dataclass(frozen=True)
class _Numbers:
    """The coefficients of a `NIRNeuron`, with the shape of a step."""

    neuron: NIRNeuron
    signal: Signal
    name: str

    def __call__(self, name: str, default: float | None = None) -> Array:
        value = self.neuron.params().get(name)
        found: Array = per_neuron(default if value is None else value, self.signal.shape)
        return found

    def refuse(self, what: str) -> InputError:
        return InputError(
            f"{self.name} (NIRNeuron): expected coefficients that NIR can express, but {what}. Import it in the dialect 'nir'."
        )


def _coefficients(neuron: NIRNeuron, writer: Writer, source: Signal, name: str) -> Signal:
    """The node whose Euler steps have the coefficients of the neurons."""
    numbers, given = _Numbers(neuron, source, name), neuron.params()
    for key, what in (("grid", "its products are truncated"), ("v_min", "its membrane has a lower bound")):
        if given[key] is not None:
            raise numbers.refuse(what)
    if given["fires"] == "floor":
        raise numbers.refuse("it fires several times in a step")
    beta, c = numbers("beta"), numbers("c", 0.0)
    firing = given["v_threshold"] is not None
    if (beta == 1).all() and "alpha" not in given and not c.any():
        kind, params = ("IF" if firing else "I"), {"r": numbers("q", 1.0) / writer.dt}
    else:
        if (beta >= 1).any():
            raise numbers.refuse("only some of its membranes leak")
        tau, leak = time_constants(beta, writer)
        kind, params = ("LIF" if firing else "LI"), {"tau": tau, "v_leak": c / leak}
        params |= {"r": numbers("q", 1.0) / leak} if "alpha" not in given else _synapse(numbers, leak, writer)
    if "tau_syn" in params:
        kind, params["tau_mem"] = f"Cuba{kind}", params.pop("tau")
    if not firing:
        return writer.add(name, kind, params, source)
    params["v_threshold"] = numbers("v_threshold")
    soft = given["v_reset"] is None
    params["v_reset"] = params["v_threshold"] - numbers("rho") if soft else numbers("v_reset")
    return writer.add(name, kind, params, source, fires=given["fires"], reset="soft" if soft else "hard")


def _synapse(numbers: _Numbers, leak: Array, writer: Writer) -> dict[str, Any]:
    alpha, g, p, q = numbers("alpha"), numbers("g", 1.0), numbers("p"), numbers("q", 1.0)
    gain = p / alpha
    if not np.allclose(q, gain * g, rtol=1e-6):
        raise numbers.refuse("its synapse acts in another order than in the dialect 'nir'")
    tau_syn, leak_syn = time_constants(alpha, writer)
    return {"tau_syn": tau_syn, "w_in": g / leak_syn, "r": gain / leak}
