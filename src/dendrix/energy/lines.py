"""Estimates of one network: as built, by the published formula, and with spikes as the inputs of its matrix products."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from torch import nn

from .hardware.model import Hardware
from .paper import ASSUMED_RATE, formula
from .report import Costs, Operations, Report
from .twin import Comparison, compare

Unit = Literal["token", "input"]


class Metered(NamedTuple):
    """A network and its measurement."""

    model: nn.Module
    report: Report
    unit: Unit
    """Unit per which figures are given: a token or an input."""
    repeated: int | None = None
    """Number of steps for which the same input is presented, as a still image; None for sequences."""
    dt_ms: float | None = None
    """Length of a time step in real time; None if there is none."""

    @property
    def units(self) -> int:
        """Number of measured units."""
        return self.report.steps if self.unit == "token" else self.report.inputs

    @property
    def seconds(self) -> float:
        """Duration of all inputs in real time; 0 without any."""
        return 0.0 if self.dt_ms is None else self.report.steps * self.dt_ms / 1000

    def compare(self, hardware: Hardware, numbers: str | None = None, bits: int | None = None) -> Comparison:
        """Compare the network with its twin on a hardware model, per token or input.

        Args:
            hardware, numbers, bits: as in the function `compare`.
        """
        found = compare(self.report, hardware, repeated=self.repeated, numbers=numbers, bits=bits, seconds=self.seconds)
        dense = None if found.twin is None else found.twin.per(self.units)
        return replace(found, spiking=found.spiking.per(self.units), twin=dense)

    def per_unit(self, operations: Operations) -> Operations:
        """Divide the operations of the report by the number of tokens or inputs."""
        return Operations(operations.macs / self.units, operations.acs / self.units)


@dataclass(frozen=True)
class Line:
    """One estimate."""

    title: str
    operations: Operations | None
    """Operations per token or input; None if there is no measurement."""
    note: str
    """Assumptions and limitations."""

    def picojoules(self, costs: Costs) -> float | None:
        """Return the energy per token or input, in pJ; None without operations.

        Args:
            costs: energy per operation.
        """
        return None if self.operations is None else self.operations.picojoules(costs)


def estimates(built: Metered, spike_input: Metered | None = None) -> tuple[Line, ...]:
    """Estimate a network as built, by the formula of its paper if there is one, and with spikes as the inputs of its matrix products.

    Args:
        built: the measured network.
        spike_input: a measured variant that was trained with spikes as the inputs of its products; None if there is none, or if `built` is
            such a network.
    Returns:
        the estimates, in this order; the last one only for a variant, or for a network with a formula and no spike inputs of its own.
    """
    lines = [Line("as built, measured", built.per_unit(built.report.operations), _says(built.report))]
    if assumed := formula(built.model, built.report):
        title = f"published formula, assumed firing rate {ASSUMED_RATE:.0%}"
        lines.append(Line(title, built.per_unit(assumed.operations), assumed.left_out))
    title = "spike inputs, measured"
    if spike_input is not None:
        note = f"another network, trained with spike inputs; {_says(spike_input.report)}"
        lines.append(Line(title, spike_input.per_unit(spike_input.report.operations), note))
    elif assumed and not _fed(built.report):
        note = "not measured, because this network has none: pass the run of a network with spike inputs with --spike-input"
        lines.append(Line(title, None, note))
    return tuple(lines)


def _fed(report: Report) -> int:
    return sum(layer.kind in ("spikes", "signed spikes") for layer in report.layers)


def _says(report: Report) -> str:
    said = f"{_fed(report)} of {len(report.layers)} matrix products have spike inputs"
    missing = len(report.uncounted)
    return f"{said}; too low, because {missing} modules with matrices are not counted" if missing else said
