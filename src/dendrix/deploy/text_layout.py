"""Flat tables of a SpikeGPT in whole numbers: matrices, vectors, and the places of the state, the same in numpy, numba and C."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..models.spikegpt.network import SpikeGPTConfig

NEURONS = {"input": 0, "output": 1, "none": 2, "separate": 3}
"""Numbers of the positions of neurons: those in `SpikeGPTConfig.spikes`, and separate ones for each product, behind the token shift."""

TIME, CHANNEL = 0, 1
"""Kinds of a half of a block."""

MATRICES = ("key", "receptance", "value", "output")
"""Matrices of a half; a channel mix has no output. Those with dense inputs are [out, in], those with many zero inputs [in, out]."""

VECTORS = (
    "scalars", "norm_weight", "norm_bias", "mix_key", "mix_receptance", "mix_value", "key_scale", "receptance_scale", "gated_scale",
    "bonus", "rate", "inner_weight", "inner_bias", "output_scale", "after_weight", "after_bias", "before_gain", "inside_gain", "after_gain",
)  # fmt: skip
"""Vectors of a half. Gains are those of neurons with a decay for each channel; others have one half. Those of separate neurons follow one
another, for key, receptance and value."""

STATES = ("shift", "before", "inside", "after", "average", "total")
"""Parts of the state of a half: the last input; membranes before the products, inside the half and after it; average and log-weight.
Membranes before the products are those of one group of neurons, or of one for each product."""

FIELDS = ("kind", "halve", *MATRICES, *VECTORS, *(f"{name}_at" for name in STATES))
"""Columns of the plan, one row per half: places in the flat tables, or -1 for what a half does not have."""

SCALARS = (
    "limit", "norm_shift", "norm_epsilon", "key_shift", "receptance_shift", "gated_shift", "output_shift", "inner_limit", "inner_shift",
    "inner_epsilon", "value_shift", "after_shift", "after_epsilon",
)  # fmt: skip
"""Numbers in the vector "scalars" of a half."""

END_VECTORS = ("scalars", "norm_weight", "norm_bias", "head_scale")
"""Vectors after those of the halves."""

END_SCALARS = ("one", "threshold", "embedding_shift", "limit", "norm_shift", "norm_epsilon", "head_shift", "levels", "signed")
"""Numbers in the vector "scalars" of the end."""


class TextPlan(NamedTuple):
    """Places in the flat tables of a network."""

    rows: NDArray[np.int64]
    """[2 L, F], columns as in `FIELDS`."""
    end: NDArray[np.int64]
    """Places of the head and of `END_VECTORS`, [5]."""
    weights: int
    """Number of weights."""
    constants: int
    """Number of constants."""
    memory: int
    """Number of values in the state of a text."""


@dataclass(frozen=True)
class Matrix:
    """Shape of a matrix."""

    outputs: int
    inputs: int
    sparse: bool
    """Inputs are often zero: stored as [in, out]."""


def neurons_of(config: SpikeGPTConfig) -> int:
    """Number of the position of the neurons, as in `NEURONS`."""
    return NEURONS["separate" if config.neurons.separate else config.spikes]


def kind_of(config: SpikeGPTConfig, half: int) -> int:
    """Kind of a half: time mix, or channel mix."""
    return TIME if half % 2 == 0 and not (config.channel_first and half == 0) else CHANNEL


def matrices(config: SpikeGPTConfig, half: int) -> dict[str, Matrix]:
    """Shapes of the matrices of a half."""
    d, bits = config.width, config.spikes == "input"
    if kind_of(config, half) == TIME:
        return {name: Matrix(d, d, bits) for name in MATRICES}
    return {"key": Matrix(4 * d, d, bits), "receptance": Matrix(d, d, bits), "value": Matrix(d, 4 * d, True)}


def vectors(config: SpikeGPTConfig, half: int) -> dict[str, int]:
    """Sizes of the vectors of a half."""
    d, time, bits = config.width, kind_of(config, half) == TIME, config.spikes == "input"
    wide = d if time else 4 * d
    found = dict.fromkeys(VECTORS, d) | dict.fromkeys(("key_scale", "inner_weight", "inner_bias", "inside_gain"), wide)
    found |= {"scalars": len(SCALARS), "before_gain": _neurons_before(config, half)}
    left_out = {"inner_weight", "inner_bias"} if not bits else set()
    left_out |= {"after_weight", "after_bias"} if not config.neurons.norm else set()
    left_out |= {"before_gain", "inside_gain"} if not (bits and config.neurons.decays) else set()
    left_out |= {"after_gain"} if not (config.spikes == "output" and config.neurons.decays) else set()
    left_out |= set() if time else {"mix_value", "gated_scale", "bonus", "rate"}
    return {name: size for name, size in found.items() if name not in left_out}


def states(config: SpikeGPTConfig, half: int) -> dict[str, int]:
    """Sizes of the parts of the state of a half."""
    d, time = config.width, kind_of(config, half) == TIME
    found = {"shift": d}
    if config.spikes == "input":
        found |= {"before": _neurons_before(config, half), "inside": d if time else 4 * d}
    if config.spikes == "output":
        found |= {"after": d}
    return found | ({"average": d, "total": d} if time else {})


def _neurons_before(config: SpikeGPTConfig, half: int) -> int:
    """Number of neurons before the products that read the stream: key, receptance and, in a time mix, value."""
    readers = 3 if kind_of(config, half) == TIME else 2
    return config.width * (readers if config.neurons.separate else 1)


def end_vectors(config: SpikeGPTConfig) -> dict[str, int]:
    """Sizes of the vectors after those of the halves."""
    return dict(zip(END_VECTORS, (len(END_SCALARS), config.width, config.width, config.vocab_size), strict=True))


def plan_of(config: SpikeGPTConfig) -> TextPlan:
    """Lay out the tables of a network."""
    rows = np.full((2 * config.layers, len(FIELDS)), -1, np.int64)
    weights = constants = memory = 0
    for half, row in enumerate(rows):
        row[0] = kind_of(config, half)
        row[1] = config.halve_stream and half % 12 == 11
        for name, shape in matrices(config, half).items():
            row[FIELDS.index(name)], weights = weights, weights + shape.outputs * shape.inputs
        for name, size in vectors(config, half).items():
            row[FIELDS.index(name)], constants = constants, constants + size
        for name, size in states(config, half).items():
            row[FIELDS.index(f"{name}_at")], memory = memory, memory + size
    end = [weights]
    for size in end_vectors(config).values():
        end.append(constants)
        constants += size
    return TextPlan(rows, np.array(end), weights + config.vocab_size * config.width, constants, memory)


def named_constants(config: SpikeGPTConfig, constants: NDArray[Any]) -> Iterator[dict[str, NDArray[Any]]]:
    """The vectors of each half by name, as views of the flat table, and those of the end at last."""
    at = 0
    for sizes in [*(vectors(config, half) for half in range(2 * config.layers)), end_vectors(config)]:
        found = {}
        for name, size in sizes.items():
            found[name], at = constants[at : at + size], at + size
        yield found


def named_weights(config: SpikeGPTConfig, weights: NDArray[Any]) -> Iterator[dict[str, NDArray[Any]]]:
    """The matrices of each half by name, [out, in], as views of the flat table, and the head at last."""
    head = {"head": Matrix(config.vocab_size, config.width, False)}
    at = 0
    for shapes in [*(matrices(config, half) for half in range(2 * config.layers)), head]:
        found = {}
        for name, shape in shapes.items():
            flat, at = weights[at : at + shape.outputs * shape.inputs], at + shape.outputs * shape.inputs
            found[name] = flat.reshape(shape.inputs, shape.outputs).T if shape.sparse else flat.reshape(shape.outputs, shape.inputs)
        yield found
