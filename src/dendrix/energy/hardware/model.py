"""A hardware model: what operations and memory accesses cost."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from ...errors import InputError

Reuse = Literal["full", "none"]
"""How often a value moves: once per input or time step and product, or for every operation."""
Placement = Literal["network", "layer"]
"""What shares a memory: the values of one kind of the whole network, or of one layer."""
Numbers = Literal["int8", "int32", "float32"]
"""Format of weights and activations. Sums and states take four bytes in every format."""

WORD_BYTES: Mapping[str, int] = {"int8": 1, "int32": 4, "float32": 4}
"""Bytes of a weight or an activation."""


class Range(NamedTuple):
    """Least and greatest value of an uncertain quantity."""

    low: float
    high: float

    def times(self, low: float, high: float | None = None) -> "Range":
        """Return the product with a quantity that is not negative: one number, or a least and a greatest one."""
        return Range(self.low * low, self.high * (low if high is None else high))

    def plus(self, other: "Range") -> "Range":
        """Return the sum with another range."""
        return Range(self.low + other.low, self.high + other.high)

    @property
    def middle(self) -> float:
        """Mean of both ends."""
        return (self.low + self.high) / 2


ZERO = Range(0.0, 0.0)
"""No energy."""


@dataclass(frozen=True)
class OperationCosts:
    """Energies of operations in one format of numbers, in pJ."""

    ac_pj: Range
    """Addition of a weight that a spike selects."""
    mac_pj: Range | None = None
    """Multiplication and addition; None if the hardware has no dense products."""
    neuron_pj: Range | None = None
    """Update of a neuron; None: one MAC for each number of its state."""
    spike_pj: Range = ZERO
    """Transport of a spike."""
    step_pj: Range = ZERO
    """Fixed part of every time step."""


@dataclass(frozen=True)
class Memory:
    """One level of the memory."""

    name: str
    pj_per_byte: Range
    n_bytes: float = math.inf
    """Size; infinite for the last level."""


@dataclass(frozen=True)
class Hardware:
    """What operations and memory accesses cost on a machine."""

    name: str
    title: str
    source: str
    """Publication and table of the figures."""
    operations: Mapping[str, OperationCosts]
    """By format of the numbers."""
    memory: tuple[Memory, ...] = ()
    """Levels by size. A store of values lies in the smallest level that holds it."""
    reuse: Reuse = "full"
    placement: Placement = "network"
    interpolate: bool = False
    """Interpolate energies linearly between the sizes of the levels."""
    memory_included: bool = False
    """Whether the energies of operations contain those of memory accesses."""
    static_mw: Range | None = None
    """Power that does not depend on the activity; None: left out."""
    left_out: tuple[str, ...] = field(default=())
    """What the source does not give, and the estimate therefore does not contain."""
    note: str = ""

    def costs(self, numbers: str) -> OperationCosts:
        """Return the energies of operations in a format.

        Raises:
            InputError: the hardware has no such format.
        """
        if numbers not in self.operations:
            raise InputError(
                f"numbers: expected {' or '.join(self.operations)}, the formats of hardware {self.name}, got {numbers}. Choose one of them."
            )
        return self.operations[numbers]

    @property
    def has_macs(self) -> bool:
        """Whether it has dense products."""
        return all(costs.mac_pj is not None for costs in self.operations.values())

    def default_numbers(self) -> str:
        """Return the first format of the file."""
        return next(iter(self.operations))

    def level(self, size: float) -> Memory:
        """Return the memory in which a store of this size lies.

        Args:
            size: bytes of the store.
        """
        index = next((i for i, level in enumerate(self.memory) if size <= level.n_bytes), len(self.memory) - 1)
        level = self.memory[index]
        if not self.interpolate or index == 0 or not math.isfinite(level.n_bytes):
            return level
        ends = self.memory[index - 1], level
        sizes = [end.n_bytes for end in ends]
        low, high = (np.interp(size, sizes, [end.pj_per_byte[i] for end in ends]) for i in (0, 1))
        return Memory(level.name, Range(float(low), float(high)), level.n_bytes)
