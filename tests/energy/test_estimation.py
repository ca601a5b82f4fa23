"""Energies of hand-made reports on hand-made hardware, and the model of Lemaire et al. (2022)."""

import dataclasses
import itertools
import math

import pytest
import torch
from torch import nn

from dendrix.energy import Hardware, Layer, Memory, OperationCosts, Range, Report, StateUse, estimate, load_hardware, measure
from dendrix.layers import PerStep, Sequential
from dendrix.neurons import IF


def exact(value: float) -> Range:
    return Range(value, value)


LEVELS = (Memory("small", exact(1), 100), Memory("large", Range(10, 20), 1000), Memory("far", exact(100)))
MACHINE = Hardware("m", "m", "test", {"int8": OperationCosts(exact(1), exact(3))}, LEVELS)
SPIKES = Layer("a", "Linear", "spikes", 0.5, dense=80, reached=40, rows=2, inputs=4, weights=40, outputs=10)
NUMBERS = dataclasses.replace(SPIKES, name="b", kind="numbers", rate=1.0, reached=80.0)
STATE = StateUse("n", "LIF", rows=2, values=10, neurons=10, macs=10.0, spiking=True)


def report_of(*layers: Layer, states: tuple[StateUse, ...] = ()) -> Report:
    return Report(1, 2, layers, (), (), states)


def test_terms_by_hand() -> None:
    found = estimate(report_of(SPIKES, NUMBERS, states=(STATE,)), MACHINE)
    assert found.terms == {
        "operations": exact(40 + 3 * 80),
        "neurons": exact(3 * 20),
        "weights": exact(40 + 80),  # 80 bytes of weights lie in the small memory
        "activations": exact(16),
        "spikes": exact(2 * 4 * 2 / 8),
        "states": exact(2 * 2 * 10 * 4),
    }
    assert found.total == exact(280 + 60 + 120 + 16 + 2 + 160)
    assert found.dominant == "operations"
    assert found.levels == {"small": (298.0, exact(298))}
    half = found.per(2)
    assert half.total == exact(319)
    assert half.levels["small"][0] == 149


def test_stores_share_a_memory_or_have_their_own() -> None:
    layers = [dataclasses.replace(NUMBERS, name=name) for name in "abc"]  # 120 bytes of weights
    together = estimate(report_of(*layers), MACHINE)
    apart = estimate(report_of(*layers), dataclasses.replace(MACHINE, placement="layer"))
    assert together.terms["weights"] == Range(2400, 4800)
    assert apart.terms["weights"] == exact(240)
    assert set(together.levels) == {"small", "large"}


def test_energies_between_sizes() -> None:
    machine = dataclasses.replace(MACHINE, interpolate=True)
    assert machine.level(50).pj_per_byte == exact(1)
    assert machine.level(550).pj_per_byte == Range(5.5, 10.5)
    assert machine.level(5000).pj_per_byte == exact(100)
    assert MACHINE.level(550).name == "large"
    assert dataclasses.replace(MACHINE, memory=LEVELS[:2]).level(5000).name == "large"  # what holds least badly


def test_fixed_parts() -> None:
    costs = OperationCosts(exact(1), exact(3), neuron_pj=exact(7), spike_pj=exact(2), step_pj=exact(5))
    machine = dataclasses.replace(MACHINE, operations={"int8": costs}, memory_included=True, static_mw=exact(0.5))
    found = estimate(report_of(SPIKES, states=(STATE,)), machine, seconds=1e-6)
    assert found.terms == {"operations": exact(40), "neurons": exact(140), "spikes": exact(8), "static": exact(10 + 500)}
    timeless = estimate(report_of(SPIKES), machine)
    assert timeless.terms["static"] == exact(10)
    assert timeless.left_out[-1] == "static power, as the inputs have no duration"


def test_addresses_are_computed_where_nothing_is_reused() -> None:
    found = estimate(report_of(SPIKES, NUMBERS), dataclasses.replace(MACHINE, reuse="none"))
    assert found.terms["addressing"] == exact(120)


def test_hardware_without_dense_products() -> None:
    spiking = dataclasses.replace(MACHINE, operations={"int8": OperationCosts(exact(1), neuron_pj=exact(1))}, left_out=("noise",))
    assert estimate(report_of(SPIKES, NUMBERS), spiking).left_out == ("noise", "dense products, 67% of the operations")
    with pytest.raises(ValueError, match="all inputs of this network are numbers"):
        estimate(report_of(NUMBERS), spiking)
    with pytest.raises(ValueError, match="expected int8"):
        estimate(report_of(SPIKES), spiking, "float32")


def energy_of_read(values: float) -> float:
    """Energy of a 32-bit access by the size of the memory: linear between 0, 8 kB, 32 kB and 1 MB."""
    size = 4 * values
    points = [(0, 0.0), (8192, 5.0), (32768, 10.0), (1048576, 50.0)]
    for (a, low), (b, high) in itertools.pairwise(points):
        if size <= b:
            return low + (high - low) * (size - a) / (b - a)
    raise AssertionError


def test_the_equations_of_lemaire_for_a_spiking_convolution() -> None:
    """Equations 7, 14, 1.3 and 1.4 of arXiv 2210.13107, for neurons without leak: memory of weights and potentials."""
    torch.manual_seed(0)
    model = Sequential(PerStep(nn.Conv2d(2, 3, 3, padding=1, bias=False)), IF(3, v_threshold=2.0))
    x = torch.zeros(1, 4, 2, 8, 8)
    x[:, :, :, 2:6, 2:6] = (torch.rand(1, 4, 2, 4, 4) < 0.3).float()  # away from the border, where the equations count too much
    found = estimate(measure(model, [x]), load_hardware("lemaire-2022"))
    spikes, synapses, outputs = x.sum().item(), 3 * 9, 3 * 8 * 8
    assert found.terms["weights"].low == pytest.approx(spikes * synapses * energy_of_read(2 * synapses))
    assert found.terms["sums"].low == pytest.approx(2 * spikes * synapses * energy_of_read(outputs))
    assert found.terms["states"].low == pytest.approx(2 * 4 * outputs * energy_of_read(outputs))  # theirs: one access for each step
    assert found.terms["operations"].low == pytest.approx(0.1 * spikes * synapses)


def test_the_equations_of_lemaire_for_a_dense_convolution() -> None:
    """Equations 3, 6.1f, 11 and 1.1, without the reads of biases."""
    model, x = nn.Conv2d(2, 3, 3, bias=False), torch.rand(1, 2, 8, 8)
    found = estimate(measure(model, [x]), load_hardware("lemaire-2022"))
    macs, inputs = 3 * 36 * 2 * 9, 2 * 64
    assert found.terms["operations"].low == pytest.approx(3.2 * macs)
    assert found.terms["weights"].low == pytest.approx(macs * energy_of_read(2 * 3 * 9))
    reads_and_writes = macs + inputs  # theirs: outputs written instead of inputs
    assert found.terms["activations"].low == pytest.approx(reads_and_writes * energy_of_read(inputs))


def test_every_figure_that_comes_with_dendrix_gives_an_energy() -> None:
    from dendrix.energy import hardware_names

    for name in hardware_names():
        found = estimate(report_of(SPIKES, states=(STATE,)), load_hardware(name))
        assert 0 < found.total.low <= found.total.high < math.inf
        assert found.to_dict()["hardware"] == name
