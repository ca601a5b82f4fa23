"""The twin, and that the break-even rate is where measured curves cross."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dendrix.convert import convert
from dendrix.energy import at_rate, at_steps, compare, estimate, load_hardware, make_twin, measure
from dendrix.layers import QCFS, DelayLinear, Sequential
from dendrix.neurons import LI, LIF

SIZES = (200, 120, 10)


def two_layers() -> Sequential:
    torch.manual_seed(0)
    return Sequential(nn.Linear(*SIZES[:2]), LIF(SIZES[1], v_threshold=0.3), DelayLinear(*SIZES[1:], 40.0, 10.0), LI(SIZES[2]))


def random_spikes(rate: float, steps: int = 50) -> torch.Tensor:
    return (torch.rand(4, steps, SIZES[0], generator=torch.Generator().manual_seed(1)) < rate).float()


def test_the_twin_of_a_sequence_is_dense_at_every_step() -> None:
    report = measure(two_layers(), [random_spikes(0.1)])
    twin = make_twin(report, None)
    assert twin.bits == 8
    assert twin.report.operations.macs == 200 * (200 * 120 + 120 * 10)
    assert twin.report.operations.acs == 0
    assert [(state.values, state.macs) for state in twin.report.states] == [(0, 120), (10, 10)]  # an activation; the read-out stays
    assert "assumed" in twin.assumption


@pytest.mark.parametrize(("steps", "bits"), [(1, 1), (3, 2), (4, 3), (7, 3), (8, 4)])
def test_the_twin_of_a_repeated_input_runs_once(steps: int, bits: int) -> None:
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Conv2d(1, 3, 3), QCFS(4, 1.0), nn.Conv2d(3, 2, 3), nn.Flatten()).eval()
    network = convert(ann, torch.zeros(2, 1, 8, 8)).network
    report = measure(network, (network.encode(batch, steps) for batch in torch.rand(2, 5, 1, 8, 8)))
    twin = make_twin(report, steps)
    assert twin.bits == bits
    assert twin.report.operations.macs == measure(ann, torch.rand(2, 5, 1, 8, 8)).dense.macs
    assert twin.report.steps == 10
    assert make_twin(report, steps, 6).bits == 6


def test_break_even_is_where_measured_curves_cross() -> None:
    """One measurement at a low rate foretells the crossing of energies that are measured at many rates."""
    hardware = dataclasses.replace(load_hardware("45nm"), reuse="none")
    model = Sequential(nn.Linear(200, 120), LIF(120, v_threshold=1e9))
    rates = np.linspace(0.05, 1.0, 20)
    reports = [measure(model, [random_spikes(rate)]) for rate in rates]
    even = compare(reports[1], hardware, repeated=None).break_even
    assert even is not None
    excess = [
        estimate(report, hardware).total.middle - estimate(make_twin(report, None).report, hardware).total.middle for report in reports
    ]
    last = max(i for i, value in enumerate(excess) if value < 0)
    first, second = (reports[i].rate for i in (last, last + 1))
    crossing = first + (second - first) * excess[last] / (excess[last] - excess[last + 1])
    assert 0.1 < crossing < 0.9
    assert even.rate[0] == even.rate[1] == pytest.approx(crossing, abs=0.01)


@pytest.mark.parametrize("name", ["45nm", "7nm", "cortex-m4", "lemaire-2022"])
def test_at_break_even_both_cost_the_same(name: str) -> None:
    report, hardware = measure(two_layers(), [random_spikes(0.1)]), load_hardware(name)
    found = compare(report, hardware, repeated=None)
    assert found.twin is not None
    assert found.break_even is not None
    for end, rate in enumerate(found.break_even.rate):
        assert rate is not None
        if rate < 1:
            assert estimate(at_rate(report, rate), hardware).total[end] == pytest.approx(found.twin.total[end], rel=1e-3)
        assert (found.spiking.total[end] < found.twin.total[end]) == (report.rate < rate)


def test_never_and_always() -> None:
    machine = load_hardware("45nm")
    costly = dataclasses.replace(machine.operations["int8"], step_pj=machine.memory[-1].pj_per_byte.times(1e9))
    report = measure(two_layers(), [random_spikes(0.1)])
    never = compare(report, dataclasses.replace(machine, operations={"int8": costly}), repeated=10)  # the twin has one step, not fifty
    assert never.break_even is not None
    assert never.break_even.rate == (None, None)
    assert never.break_even.steps == (1, 1)
    cheap = dataclasses.replace(machine.operations["int8"], ac_pj=machine.operations["int8"].ac_pj.times(0))
    always = compare(report, dataclasses.replace(machine, operations={"int8": cheap}, memory_included=True), repeated=None)
    assert always.break_even is not None
    assert always.break_even.rate == (1.0, 1.0)


def test_hardware_without_dense_products_has_no_twin() -> None:
    report = measure(two_layers(), [random_spikes(0.1)])
    found = compare(report, load_hardware("loihi"), repeated=None)
    assert (found.twin, found.ratio, found.break_even) == (None, None, None)


def test_a_network_without_spikes_has_no_break_even() -> None:
    found = compare(measure(nn.Linear(4, 3), [torch.rand(5, 4)]), load_hardware("45nm"), repeated=None)
    assert found.break_even is None
    assert found.ratio is not None


@settings(max_examples=20, deadline=None)
@given(rate=st.floats(0, 1))
def test_rates_are_scaled_in_proportion(rate: float) -> None:
    report = measure(two_layers(), [random_spikes(0.1)])
    scaled = at_rate(report, rate)
    assert scaled.rate <= rate * (1 + 1e-9) + 1e-12
    assert all(layer.reached <= layer.dense for layer in scaled.layers)
    if rate <= report.rate:
        assert scaled.rate == pytest.approx(rate)
    silent = measure(nn.Linear(4, 3), [torch.zeros(5, 4)])
    assert at_rate(silent, rate).rate == pytest.approx(rate)


def test_more_steps_of_the_same_input() -> None:
    report = measure(two_layers(), [random_spikes(0.1)])
    longer = at_steps(report, 100)
    assert longer.steps == 2 * report.steps
    assert longer.operations.acs == pytest.approx(2 * report.operations.acs)
    assert [state.rows for state in longer.states] == [2 * state.rows for state in report.states]
