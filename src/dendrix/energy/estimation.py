"""Energy of a measured network on a hardware model, by term and by level of the memory."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .hardware.model import ZERO, Hardware, Range
from .report import Report
from .traffic import Traffic, count_traffic

TERMS = ("operations", "neurons", "addressing", "weights", "activations", "spikes", "sums", "delay lines", "states", "static")
"""Parts of an estimate: arithmetic, memory traffic by the values that move, and what does not depend on the activity."""


@dataclass(frozen=True)
class Estimate:
    """Energy of a network on a hardware model, in pJ, each from its least to its greatest value."""

    hardware: Hardware
    numbers: str
    terms: Mapping[str, Range]
    """By the names of `TERMS`; a term of zero is left out."""
    levels: Mapping[str, tuple[float, Range]]
    """Bytes moved and their energy by level of the memory."""
    left_out: tuple[str, ...]
    """Parts without a figure in the source of the hardware model."""

    @property
    def total(self) -> Range:
        """Sum of the terms."""
        found = ZERO
        for energy in self.terms.values():
            found = found.plus(energy)
        return found

    @property
    def dominant(self) -> str:
        """Name of the largest term; empty if all are zero."""
        return max(self.terms, key=lambda name: self.terms[name].middle, default="")

    def per(self, units: int) -> "Estimate":
        """Return the estimate for one of `units` inputs or tokens."""
        share = 1 / units
        terms = {name: energy.times(share) for name, energy in self.terms.items()}
        levels = {name: (size * share, energy.times(share)) for name, (size, energy) in self.levels.items()}
        return Estimate(self.hardware, self.numbers, terms, levels, self.left_out)

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON values."""
        return {
            "hardware": self.hardware.name,
            "numbers": self.numbers,
            "picojoules": list(self.total),
            "dominant": self.dominant,
            "terms": {name: list(energy) for name, energy in self.terms.items()},
            "levels": {name: {"bytes": size, "picojoules": list(energy)} for name, (size, energy) in self.levels.items()},
            "left_out": list(self.left_out),
        }


def estimate(
    report: Report, hardware: Hardware, numbers: str | None = None, *, activation_bits: int | None = None, seconds: float = 0.0
) -> Estimate:
    """Estimate the energy of a report.

    Args:
        report: result of `measure`.
        hardware: hardware model.
        numbers: format of weights and activations; None: the first of the hardware model.
        activation_bits: bits of an activation in memory; None: as the format.
        seconds: duration of all inputs in real time, for the static power of the hardware.
    Raises:
        InputError: the hardware has no such format, or it has no dense products and the network no others.
    """
    numbers = hardware.default_numbers() if numbers is None else numbers
    costs, found = hardware.costs(numbers), count_traffic(report, numbers, hardware.reuse, activation_bits)
    levels = _by_level(found, hardware)
    terms: dict[str, Range] = defaultdict(lambda: ZERO)
    left_out = list(hardware.left_out)
    if hardware.static_mw is not None and not seconds:
        left_out.append("static power, as the inputs have no duration")
    if costs.mac_pj is None and found.macs:
        if not found.acs:
            raise InputError(
                f"hardware {hardware.name}: expected a product with spikes as inputs, as it has no dense products, but all inputs of this "
                "network are numbers. Choose another hardware model."
            )
        left_out.append(f"dense products, {found.macs / (found.macs + found.acs):.0%} of the operations")
    mac = costs.mac_pj or ZERO
    terms["operations"] = mac.times(found.macs).plus(costs.ac_pj.times(found.acs))
    terms["neurons"] = mac.times(found.other_macs)
    terms["neurons"] = terms["neurons"].plus(
        mac.times(found.neuron_macs) if costs.neuron_pj is None else costs.neuron_pj.times(found.neurons)
    )
    terms["spikes"] = costs.spike_pj.times(found.spikes)
    terms["static"] = costs.step_pj.times(found.steps)
    if hardware.static_mw is not None:
        terms["static"] = terms["static"].plus(hardware.static_mw.times(seconds * 1e9))  # 1 mW s = 1e9 pJ
    if hardware.reuse == "none" and not hardware.memory_included:
        terms["addressing"] = costs.ac_pj.times(found.macs + found.acs)  # one addition for the address of each operation
    for store, _, _, energy in levels:
        terms[store] = terms[store].plus(energy)
    by_level: dict[str, tuple[float, Range]] = {}
    for _, name, size, energy in levels:
        before = by_level.get(name, (0.0, ZERO))
        by_level[name] = before[0] + size, before[1].plus(energy)
    kept = {name: terms[name] for name in TERMS if terms[name].high > 0}
    return Estimate(hardware, numbers, kept, by_level, tuple(left_out))


def _by_level(found: Traffic, hardware: Hardware) -> list[tuple[str, str, float, Range]]:
    """Store, level, bytes moved and energy of every part of the traffic."""
    if hardware.memory_included:
        return []
    together: dict[str, float] = defaultdict(float)
    for part in found.moved:
        together[part.store] += part.size
    rows: list[tuple[str, str, float, Range]] = []
    for part in found.moved:
        level = hardware.level(part.size if hardware.placement == "layer" else together[part.store])
        rows.append((part.store, level.name, part.n_bytes, level.pj_per_byte.times(part.n_bytes)))
    return rows
