"""The twin of a spiking network: the dense quantised network of the same shape, and the firing rate at which both cost the same."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from .estimation import Estimate, estimate
from .hardware.model import Hardware, Range
from .report import Layer, Report, StateUse

BITS_OF_SEQUENCES = 8
"""Bits of the activations of a twin that reads a new input at every step; an assumption."""
_HALVINGS = 60
_MOST_STEPS = 64
"""Largest number of steps that is tried."""


@dataclass(frozen=True)
class Twin:
    """Dense quantised network with the products of a spiking network."""

    report: Report
    """Its operations on the same inputs: every product dense, every neuron one multiplication, no membranes."""
    bits: int
    """Bits of its activations."""
    assumption: str
    """Why its accuracy is taken to be that of the spiking network."""


@dataclass(frozen=True)
class BreakEven:
    """Firing rate below which a spiking network costs less than its twin, at the least and at the greatest energies of the hardware."""

    measured: float
    """Mean rate of the inputs of products, as `Report.rate`."""
    rate: tuple[float | None, float | None]
    """None: without a single spike, it already costs more. 1: it costs less at every rate."""
    steps: tuple[int, int] | None
    """Largest number of steps for which it costs less at the measured rate, 0 for none; None if its inputs are sequences."""

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {"measured": self.measured, "rate": list(self.rate), "steps": None if self.steps is None else list(self.steps)}


@dataclass(frozen=True)
class Comparison:
    """A spiking network beside its twin on one hardware model."""

    spiking: Estimate
    twin: Estimate | None
    """None if the hardware has no dense products."""
    break_even: BreakEven | None

    @property
    def ratio(self) -> Range | None:
        """Energy over that of the twin, each at the same end of the figures of the hardware."""
        if self.twin is None:
            return None
        ends = [a / b if b else math.inf for a, b in zip(self.spiking.total, self.twin.total, strict=True)]
        return Range(min(ends), max(ends))


def make_twin(report: Report, repeated: int | None, bits: int | None = None) -> Twin:
    """Make the twin of a measured network.

    Args:
        report: result of `measure`.
        repeated: number of steps T for which the same input is presented, as a still image; the twin then computes one step for each
            input. None for sequences.
        bits: bits of its activations. None: ceil(log2(T + 1)) if the input is repeated, as T spikes tell T + 1 values apart
            (arXiv 2409.08290), otherwise 8.
    """
    if bits is None:
        bits = BITS_OF_SEQUENCES if repeated is None else math.ceil(math.log2(repeated + 1))
        why = "usual for quantised networks" if repeated is None else f"{repeated} steps tell {repeated + 1} values of a neuron apart"
        assumption = f"{bits} bits, because {why}; that its accuracy is the same is assumed, not measured"
    else:
        assumption = f"{bits} bits; that its accuracy is the same is assumed, not measured"

    def rows(before: int) -> int:
        return before if repeated is None else min(before, report.inputs)

    layers = tuple(
        replace(layer, kind="numbers", rate=1.0, dense=dense, reached=dense, rows=rows(layer.rows))
        for layer in report.layers
        for dense in [layer.dense * rows(layer.rows) / max(layer.rows, 1)]
    )
    states = tuple(
        replace(state, rows=rows(state.rows), neurons=0, values=0, macs=float(state.neurons), spiking=False)
        if state.spiking
        else replace(state, rows=rows(state.rows))
        for state in report.states
    )
    return Twin(replace(report, steps=rows(report.steps), layers=layers, rates=(), states=states), bits, assumption)


def at_rate(report: Report, rate: float) -> Report:
    """Scale the firing rates of a report in proportion, so that its mean rate is `rate`, as far as no layer exceeds one spike per step.

    Args:
        report: result of `measure`.
        rate: mean rate, 0 to 1. A report without any spikes gets this rate in every layer.
    """
    factor = rate / report.rate if report.rate else None

    def scaled(layer: Layer) -> Layer:
        if not layer.spiking:
            return layer
        if factor is None:
            return replace(layer, kind="spikes", rate=rate, reached=rate * layer.dense)
        return replace(layer, rate=min(factor * layer.rate, 1.0), reached=min(factor * layer.reached, layer.dense))

    return replace(report, layers=tuple(scaled(layer) for layer in report.layers))


def at_steps(report: Report, steps: int) -> Report:
    """Change the number of steps of a report whose inputs are repeated at every step, at the same rates.

    Args:
        report: result of `measure`.
        steps: steps of every input, at least 1.
    """
    factor = steps * report.inputs / report.steps

    def scaled(layer: Layer) -> Layer:
        share = factor if layer.rows > report.inputs or layer.spiking else 1.0  # what is computed once for each input stays
        return replace(layer, rows=round(share * layer.rows), dense=share * layer.dense, reached=share * layer.reached)

    def kept(state: StateUse) -> StateUse:
        return replace(state, rows=round(factor * state.rows))

    return replace(
        report,
        steps=steps * report.inputs,
        layers=tuple(scaled(layer) for layer in report.layers),
        states=tuple(kept(state) for state in report.states),
    )


def compare(
    report: Report,
    hardware: Hardware,
    *,
    repeated: int | None,
    numbers: str | None = None,
    bits: int | None = None,
    seconds: float = 0.0,
) -> Comparison:
    """Compare a spiking network with its twin, and find the firing rate and the number of steps at which both cost the same.

    Args:
        report: result of `measure`.
        hardware: hardware model.
        repeated, bits: as in `make_twin`.
        numbers, seconds: as in `estimate`.
    """

    def cost(one: Report) -> Estimate:
        return estimate(one, hardware, numbers, seconds=seconds)

    def cost_of_twin(one: Report, presented: int | None) -> Estimate:
        made = make_twin(one, presented, bits)
        return estimate(made.report, hardware, numbers, activation_bits=made.bits, seconds=seconds)

    spiking = cost(report)
    if hardware.costs(spiking.numbers).mac_pj is None:
        return Comparison(spiking, None, None)
    dense = cost_of_twin(report, repeated)
    if not any(layer.spiking for layer in report.layers):
        return Comparison(spiking, dense, None)
    rates = [_break_even_rate(report, dense.total[end], lambda one, end=end: cost(one).total[end]) for end in (0, 1)]  # type: ignore[misc]
    steps = None
    if repeated is not None:
        ends = [_most_steps(lambda count, end=end: _excess(cost, cost_of_twin, report, count, end)) for end in (0, 1)]  # type: ignore[misc]
        steps = min(ends), max(ends)
    return Comparison(spiking, dense, BreakEven(report.rate, (rates[0], rates[1]), steps))


def _break_even_rate(report: Report, limit: float, cost: Callable[[Report], float]) -> float | None:
    """The rate at which a cost that grows with the rate reaches the limit, by bisection."""
    if cost(at_rate(report, 0.0)) >= limit:
        return None
    low, high = 0.0, max([layer.dense / layer.reached for layer in report.layers if layer.spiking and layer.reached], default=1.0)
    high *= report.rate or 1.0  # there, every layer fires at every step
    if cost(at_rate(report, high)) <= limit:
        return 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if cost(at_rate(report, middle)) > limit else (middle, high)
    return at_rate(report, low).rate


def _excess(
    cost: Callable[[Report], Estimate], cost_of_twin: Callable[[Report, int | None], Estimate], report: Report, steps: int, end: int
) -> float:
    """Cost above that of the twin if the input is repeated for this number of steps."""
    longer = at_steps(report, steps)
    return cost(longer).total[end] - cost_of_twin(longer, steps).total[end]


def _most_steps(excess: Callable[[int], float]) -> int:
    """Largest number of steps at which the excess over the twin is negative; 0 if there is none."""
    return max((steps for steps in range(1, _MOST_STEPS + 1) if excess(steps) < 0), default=0)
