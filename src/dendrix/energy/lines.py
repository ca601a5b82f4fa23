"""Three ways to count one network: as built, by the published formula, and fed by spikes."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import nn

from .paper import ASSUMED_RATE, formula
from .report import Costs, Operations, Report

Unit = Literal["token", "input"]


class Metered(NamedTuple):
    """A network and what the meter found."""

    model: nn.Module
    report: Report
    unit: Unit
    """What figures are given per."""

    @property
    def units(self) -> int:
        """How many were measured."""
        return self.report.steps if self.unit == "token" else self.report.inputs

    def per_unit(self, operations: Operations) -> Operations:
        """Operations of the whole report per token or input."""
        return Operations(operations.macs / self.units, operations.acs / self.units)


@dataclass(frozen=True)
class Line:
    """One way to count."""

    title: str
    operations: Operations | None
    """Per token or input; None where nothing was measured."""
    note: str

    def picojoules(self, costs: Costs) -> float | None:
        """The energy per token or input."""
        return None if self.operations is None else self.operations.picojoules(costs)


def three_lines(built: Metered, spike_input: Metered | None = None) -> tuple[Line, Line, Line]:
    """What a network costs as built, what the formula of its paper says, and what it costs where spikes feed its products.

    Args:
        built: the network.
        spike_input: a variant of it that was trained to be fed by spikes; None where there is none, or where the network is one.
    """
    fed = _fed(built.report)
    first = Line("as built, measured", built.per_unit(built.report.operations), _says(built.report))
    assumed = formula(built.model, built.report)
    second = Line(f"published formula, {ASSUMED_RATE:.0%} assumed to fire", built.per_unit(assumed.operations), assumed.left_out)
    title = "fed by spikes, measured"
    if spike_input is not None:
        third = Line(
            title, spike_input.per_unit(spike_input.report.operations), f"another network, trained so; {_says(spike_input.report)}"
        )
    elif fed:
        third = Line(title, first.operations, "the network itself, as built")
    else:
        third = Line(title, None, "not measured, as this network is not: give the run of one with --spike-input")
    return first, second, third


def _fed(report: Report) -> int:
    return sum(layer.kind in ("spikes", "signed spikes") for layer in report.layers)


def _says(report: Report) -> str:
    said = f"spikes feed {_fed(report)} of {len(report.layers)} matrix products"
    missing = len(report.uncounted)
    return f"{said}; too low, as {missing} modules with matrices are not counted" if missing else said
