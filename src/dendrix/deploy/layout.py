"""Flat tables of a network for compiled loops: synapses, parameters of neurons, and the places of the state of each layer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

KINDS = ("lif", "cuba", "adlif", "li")
"""Kinds of neurons, numbered as here."""

PARAMETERS = ("bias", "decay", "threshold", "reset", "start", "slow_decay", "coupling", "jump")
"""Parameters of a neuron, in the order of the tables."""

FIELDS = (
    "kind", "inputs", "outputs", "synapses", "taps", "shift", "soft", "feedback_synapses", "feedback_taps", "feedback_shift",
    "weight_at", "feedback_at", "parameter_at", "membrane_at", "slow_at", "pending_at", "feedback_pending_at",
)  # fmt: skip
"""Columns of the plan, one row per layer."""


@dataclass(frozen=True)
class LayerForm:
    """Sizes and kind of a layer."""

    path: str
    """Name of the neurons in the network that it was made from."""
    kind: str
    """One of `KINDS`."""
    inputs: int
    outputs: int
    synapses: int
    """Number of synapses per pair of neurons, K."""
    taps: int
    """Longest delay in steps, plus one."""
    soft: bool
    """A spike subtracts the threshold; otherwise it sets the membrane to the reset."""
    feedback_synapses: int = 0
    """Number of synapses per pair of neurons of the layer; 0 for none."""
    feedback_taps: int = 0
    shift: int = 0
    """A pending sum counts 2^shift units of the membrane."""
    feedback_shift: int = 0


class Tables(NamedTuple):
    """Flat tables. Weights of a layer are [K, in, out], and those of its feedback follow, [K, out, out]."""

    plan: NDArray[np.int64]
    """[L, F], columns as in `FIELDS`."""
    weights: NDArray[Any]
    delays: NDArray[np.uint8]
    """As `weights`, in steps."""
    parameters: NDArray[Any]
    """Of a layer [P, out], rows as in `PARAMETERS`."""


class Plan(NamedTuple):
    """Places in the flat tables and in the state of a row."""

    rows: NDArray[np.int64]
    """[L, F], columns as in `FIELDS`."""
    weights: int
    """Number of weights."""
    parameters: int
    """Number of parameters."""
    memory: int
    """Numbers of the state of one row."""


def plan_of(forms: Iterable[LayerForm]) -> Plan:
    """Lay out the tables and the state of layers.

    The state of a layer: membranes [out], currents or adaptation [out], pending sums [taps, out] (of the first layer, its inputs of the
    past, [taps, in]), and pending sums of the feedback [feedback taps, out].
    """
    weights = parameters = memory = 0
    rows: list[list[int]] = []
    for form in forms:
        out = form.outputs
        own = {name: getattr(form, name) for name in FIELDS[1:10]} | {"kind": KINDS.index(form.kind)}
        own |= {"weight_at": weights, "feedback_at": weights + form.synapses * form.inputs * out, "parameter_at": parameters}
        weights = own["feedback_at"] + form.feedback_synapses * out * out
        parameters += len(PARAMETERS) * out
        own |= {"membrane_at": memory, "slow_at": memory + out, "pending_at": memory + 2 * out}
        own["feedback_pending_at"] = own["pending_at"] + form.taps * (out if rows else form.inputs)
        memory = own["feedback_pending_at"] + form.feedback_taps * out
        rows.append([int(own[name]) for name in FIELDS])
    return Plan(np.array(rows, np.int64), weights, parameters, memory)


def flattened(layers: Sequence[dict[str, Any]], dtype: type) -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[Any]]:
    """Weights, delays and parameters of layers as flat arrays.

    Args:
        layers: each with `weight` and `delay` [out, in, K], `feedback_weight` and `feedback_delay` [out, out, K] or None, and `PARAMETERS`,
            [out] each.
        dtype: type of the weights and parameters.
    """
    weights, delays, parameters = [], [], []
    for layer in layers:
        for prefix in ("", "feedback_"):
            if layer[f"{prefix}weight"] is not None:
                weights.append(layer[f"{prefix}weight"].transpose(2, 1, 0).ravel())
                delays.append(layer[f"{prefix}delay"].transpose(2, 1, 0).ravel())
        parameters += [layer[name] for name in PARAMETERS]
    return np.concatenate(weights).astype(dtype), np.concatenate(delays).astype(np.uint8), np.concatenate(parameters).astype(dtype)


def rest(plan: Plan, parameters: NDArray[Any]) -> NDArray[Any]:
    """State of one row before its first step, [S], in the dtype of the parameters."""
    memory = np.zeros(plan.memory, parameters.dtype)
    for row in plan.rows:
        values = dict(zip(FIELDS, row.tolist(), strict=True))
        out, start = values["outputs"], values["parameter_at"] + PARAMETERS.index("start") * values["outputs"]
        memory[values["membrane_at"] : values["membrane_at"] + out] = parameters[start : start + out]
    return memory
