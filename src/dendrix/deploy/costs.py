"""Report of an export: flash, RAM, operations, instructions on a Cortex-M4 by estimate, real-time factor and energy."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import IntegerCochlea, IntegerMel
from ..energy import ZERO, Range, load_hardware
from ..exits.rules.integer_probability import FACTORS
from .answering import rule_bounds
from .c_layout import is_packed, memory_of
from .c_source import layer_tables
from .deployed import Deployed
from .front_end import Place, structure

BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "uint64_t": 8}
ENGINE_BYTES = 3_850
"""Code of the engine for a Cortex-M4 with clang -Os, front end included; measured, rounded up."""
COCHLEA_ENGINE_BYTES = 4_600
"""The same with the cochlea as front end."""
_GATHERED, _SCATTERED, _PACKED, _NEURON, _STEP = 6.7, 8.6, 0.7, 48.0, 1_500.0
_BUTTERFLY, _POINT, _SAMPLE = 21.0, 55.0, 33.0
"""Instructions of a Cortex-M4 for a weight of the first layer, a synaptic event, the unpacking of a weight, a neuron, a step, a butterfly
of the transform, one of its points, and a sample; fitted to counts under emulation, with clang -Os."""
_CELL = 405.0
"""Instructions for a sample and a cell of a cochlea, counted in the same way."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of an exported network, without the code of the engine."""

    tables: int
    """Constants, in flash."""
    memory: int
    """Memory of one stream, in RAM, without the stack."""


@dataclass(frozen=True)
class Report:
    """What an exported network costs on a Cortex-M4. Instructions are estimates, from counts of operations on frames of noise or data."""

    tables_bytes: int
    engine_bytes: int
    memory_bytes: int
    operations_mean: float
    """Synaptic operations per step."""
    instructions_mean: float
    """Per step, front end included."""
    instructions_worst: float
    """Per step if every neuron spikes."""
    clock_hz: float
    real_time_factor: float
    """How much faster than real time at this clock, with one instruction per cycle."""
    microjoules_per_second: Range
    """Energy for a second of input, by the hardware model cortex-m4: least and greatest."""

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for a table."""
        factor = f"{self.real_time_factor:{'.0f' if self.real_time_factor >= 10 else '.2g'}}"
        return [
            ("flash", f"{self.tables_bytes + self.engine_bytes:,} bytes ({self.tables_bytes:,} of tables)"),
            ("RAM", f"{self.memory_bytes:,} bytes a stream"),
            ("synaptic operations per step", f"{self.operations_mean:,.0f}"),
            ("Cortex-M4 instructions per step", f"about {self.instructions_mean:,.0f}, at most {self.instructions_worst:,.0f} (estimated)"),
            (
                "real-time factor",
                f"about {factor} at {self.clock_hz / 1e6:.0f} MHz",
            ),
            ("energy", "about {:,.0f} to {:,.0f} microjoules for a second of input".format(*self.microjoules_per_second)),
        ]


def sizes(deployed: Deployed) -> Sizes:
    """Count the bytes of the tables and of the memory of a stream."""
    layers = deployed.network.layers()
    tables = 4 * len(FACTORS) + 8 * len([0] if deployed.rule is None else rule_bounds(deployed.rule))
    for index, layer in enumerate(layers):
        made = layer_tables(layer, int(index == 0), packed=is_packed(deployed))
        tables += sum(BYTES[kind] * len(values) for kind, values in made.values())
    if deployed.encoder is not None:
        _, members = structure(deployed.encoder, Place())
        tables += sum(BYTES[one.kind] * len(one.value) for one in members if one.is_table)
    return Sizes(tables, memory_of(deployed, layers).size)


def report(deployed: Deployed, frames: NDArray[np.int64] | None = None, clock_hz: float = 64e6) -> Report:
    """Estimate what a network costs.

    Args:
        deployed: the network.
        frames: integer inputs to count operations on, [T, C]; None takes noise.
        clock_hz: clock of the processor, in Hz.
    """
    size, form = sizes(deployed), deployed.network.inputs
    if frames is None:
        frames = np.clip(np.random.default_rng(0).normal(0, 2.0**form.shift / 2, (200, form.channels)), form.low, -form.low - 1).astype(
            np.int64
        )
    counted = deployed.network.run(torch.from_numpy(frames).unsqueeze(0))[2].numpy() / len(frames)
    mean, worst = _instructions(deployed, counted), _instructions(deployed, _all_spike(deployed))
    return Report(
        size.tables,
        COCHLEA_ENGINE_BYTES if isinstance(deployed.encoder, IntegerCochlea) else ENGINE_BYTES,
        size.memory,
        float(counted.sum()),
        mean,
        worst,
        clock_hz,
        clock_hz * deployed.dt_ms / 1000 / mean,
        _energy(mean * 1000 / deployed.dt_ms),
    )


def _energy(instructions_per_second: float) -> Range:
    """Microjoules per second, with the static power. An instruction is a share of the fixed part of a step in the hardware model."""
    machine = load_hardware("cortex-m4")
    dynamic = machine.costs("int8").step_pj.times(instructions_per_second / _STEP / 1e6)
    return dynamic.plus((machine.static_mw or ZERO).times(1e3))


def _all_spike(deployed: Deployed) -> NDArray[np.float64]:
    """Synaptic operations per step of each layer if every neuron spikes."""
    return np.array(
        [form.inputs * form.outputs * form.synapses + form.outputs**2 * form.feedback_synapses for form in deployed.network.forms], float
    )


def _instructions(deployed: Deployed, operations: NDArray[np.float64]) -> float:
    """Estimate of the instructions of a step, from the synaptic operations of each layer."""
    first, *_ = forms = deployed.network.forms
    unpacking = _PACKED if is_packed(deployed) else 0.0
    dense = first.inputs * first.outputs * first.synapses  # the first layer also multiplies by zero
    found = dense * (_GATHERED + unpacking) + operations[1:].sum() * (_SCATTERED + unpacking)
    found += sum(form.outputs for form in forms) * _NEURON + _STEP
    if isinstance(mel := deployed.encoder, IntegerMel):
        points = mel.tables().points
        found += points / 2 * np.log2(points) * _BUTTERFLY + points * _POINT + mel.hop * _SAMPLE
    if isinstance(ear := deployed.encoder, IntegerCochlea):
        found += ear.cells * ear.hop * _CELL
    return float(found)
