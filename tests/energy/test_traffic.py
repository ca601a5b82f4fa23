"""Bytes moved, counted by hand; and how they grow."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dendrix.energy import Layer, Report, Traffic, at_rate, count_traffic, measure
from dendrix.layers import DelayLinear, PerStep, Recurrent, Sequential
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.neurons import LIF

SPIKES = torch.tensor([[[1.0, 0, 0, 0], [1.0, 1.0, 0, 0]]])
"""Three spikes of four channels in two steps."""


def moved(found: Traffic) -> dict[str, float]:
    """Bytes by store, without empty ones."""
    return {store: found.moved_bytes(store) for store in dict.fromkeys(part.store for part in found.moved)}


def counted(model: nn.Module, x: torch.Tensor, **options) -> Traffic:
    return count_traffic(measure(model, [x]), **options)


def test_linear_with_spikes() -> None:
    model = Sequential(nn.Linear(4, 2))
    assert moved(counted(model, SPIKES)) == {"weights": 3 * 2, "spikes": 2 * 3 * 2 / 8}  # an address of a spike has two bits
    none = counted(model, SPIKES, reuse="none")
    assert moved(none) == {"weights": 3 * 2, "spikes": 2 * 3 * 2 / 8, "sums": 2 * 6 * 4}  # each addition reads and writes its sum
    assert (none.acs, none.macs, none.spikes, none.steps) == (6, 0, 3, 2)
    assert counted(model, SPIKES, numbers="float32").moved_bytes("weights") == 4 * 6


def test_many_spikes_are_a_bit_for_each_neuron() -> None:
    assert counted(Sequential(nn.Linear(4, 2)), torch.ones(1, 2, 4)).moved_bytes("spikes") == 2 * 8 / 8
    signed = torch.tensor([[[1.0, -1.0, 1.0, -1.0]]])
    assert counted(Sequential(nn.Linear(4, 2)), signed).moved_bytes("spikes") == 2 * 4 * 2 / 8


def test_linear_with_numbers() -> None:
    model, x = Sequential(nn.Linear(4, 2)), torch.rand(1, 3, 4)
    assert moved(counted(model, x)) == {"weights": 3 * 8, "activations": 2 * 3 * 4}
    assert moved(counted(model, x, reuse="none")) == {"weights": 3 * 8, "activations": 3 * 4 + 3 * 8}
    assert counted(model, x, activation_bits=4).moved_bytes("activations") == 3 * 4
    assert counted(model, x, activation_bits=4).moved_bytes("weights") == 3 * 8


def test_convolution() -> None:
    model = PerStep(nn.Conv2d(1, 2, 3, padding=1))
    x = torch.zeros(1, 1, 1, 4, 4)
    x[..., 1, 1] = x[..., 2, 2] = 1  # each reaches nine positions of two maps
    found = counted(model, x)
    assert (found.acs, found.moved_bytes("weights")) == (36, 18)  # all weights, once
    none = counted(model, x, reuse="none")
    assert (none.moved_bytes("weights"), none.moved_bytes("sums")) == (36, 2 * 36 * 4)
    assert found.moved_bytes("spikes") == 2 * 2 * 4 / 8


@pytest.mark.parametrize(
    ("granularity", "expected"),
    [
        ("synaptic", {"weights": 6 + 6, "spikes": 1.5, "delay lines": 2 * (6 + 2 * 2) * 4}),  # every addition waits, then all sums are read
        ("axonal", {"weights": 6, "spikes": 1.5, "delay lines": 1.5}),  # spikes wait
        ("dendritic", {"weights": 6, "spikes": 1.5, "delay lines": 2 * 2 * 2 * 4}),  # sums of a step wait
    ],
)
def test_delays_with_spikes(granularity: str, expected: dict[str, float]) -> None:
    model = DelayLinear(4, 2, 40.0, 10.0, granularity=granularity)
    found = counted(model, SPIKES)
    assert moved(found) == expected
    line = next(part for part in found.moved if part.store == "delay lines")
    assert line.size == {"synaptic": model.taps * 2 * 4, "axonal": model.taps * 4 / 8, "dendritic": model.taps * 2 * 4}[granularity]


def test_delays_with_numbers() -> None:
    x = torch.rand(1, 3, 4)
    model = DelayLinear(4, 2, 40.0, 10.0)
    assert model.taps > 2
    assert moved(counted(model, x)) == {"weights": 24 + 24, "delay lines": 3 * 4 + 3 * 8}  # each synapse reads the input of another step
    axonal = moved(counted(DelayLinear(4, 2, 40.0, 10.0, granularity="axonal"), x))
    assert axonal == {"weights": 24, "activations": 2 * 12, "delay lines": 2 * 12}
    without = moved(counted(DelayLinear(4, 2, 0.0, 10.0), x))
    assert without == {"weights": 24, "activations": 2 * 12}


def test_recurrent() -> None:
    model = Recurrent(LIF(3, v_threshold=0.5), nn.Linear(3, 3, bias=False))
    report = measure(model, [torch.ones(1, 5, 3)])
    found = count_traffic(report)
    spikes = round(report.rates[0].rate * 15)
    assert found.moved_bytes("states") == 2 * 5 * 3 * 4
    assert found.acs == 3 * spikes
    assert (found.neurons, found.neuron_macs, found.other_macs) == (15, 15, 0)


def test_wkv() -> None:
    width, tokens = 8, torch.zeros(2, 5, dtype=torch.int64)
    found = counted(SpikeGPT(SpikeGPTConfig(20, width=width, layers=1)), tokens)
    shift, membranes, sums = 2 * width, 2 * width, 3 * width
    assert found.moved_bytes("states") == 2 * 10 * (shift + membranes + sums) * 4
    assert (found.neurons, found.other_macs) == (10 * 2 * width, 10 * 7 * width)
    without = counted(SpikeGPT(SpikeGPTConfig(20, width=width, layers=1, spikes="none")), tokens)
    assert without.moved_bytes("states") == 2 * 10 * (shift + sums) * 4


def test_padding_moves_nothing() -> None:
    model = Sequential(nn.Linear(4, 3), LIF(3))
    x, valid = torch.rand(1, 6, 4), torch.arange(6).unsqueeze(0) < 4
    padded = count_traffic(measure(model, [(x, valid, torch.zeros(1))]))
    assert moved(padded) == moved(counted(model, x[:, :4]))


LAYERS = st.builds(
    lambda sizes, rate, kind, taps, delayed: Layer(
        "a",
        "Linear",
        kind,
        rate,
        float(sizes[2] * sizes[0] * sizes[1]),
        rate * sizes[2] * sizes[0] * sizes[1],
        sizes[2],
        sizes[0],
        sizes[0] * sizes[1],
        sizes[1],
        taps,
        delayed,
    ),
    st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(1, 50)),
    st.floats(0.01, 1),
    st.sampled_from(["spikes", "signed spikes", "numbers"]),
    st.sampled_from([1, 5]),
    st.sampled_from(["synapses", "inputs", "outputs"]),
)
REUSE = st.sampled_from(["full", "none"])


def report_of(*layers: Layer) -> Report:
    return Report(1, layers[0].rows, layers, (), ())


@settings(deadline=None)
@given(layer=LAYERS, rates=st.tuples(st.floats(0, 1), st.floats(0, 1)), reuse=REUSE)
def test_more_spikes_never_move_less(layer: Layer, rates: tuple[float, float], reuse: str) -> None:
    low, high = (count_traffic(at_rate(report_of(layer), rate), reuse=reuse) for rate in sorted(rates))
    for store, size in moved(low).items():
        assert high.moved_bytes(store) >= size * (1 - 1e-9)
    assert high.acs >= low.acs * (1 - 1e-9)


@given(layers=st.lists(LAYERS, min_size=1, max_size=4), reuse=REUSE)
def test_layers_add_up(layers: list[Layer], reuse: str) -> None:
    together = count_traffic(report_of(*layers), reuse=reuse)
    apart = [count_traffic(report_of(layer), reuse=reuse) for layer in layers]
    for store, size in moved(together).items():
        assert size == pytest.approx(sum(one.moved_bytes(store) for one in apart))
    assert together.acs + together.macs == pytest.approx(sum(one.acs + one.macs for one in apart))


@settings(max_examples=10, deadline=None)
@given(copies=st.integers(2, 4), axis=st.sampled_from([0, 1]), reuse=REUSE, seed=st.integers(0, 99))
def test_traffic_grows_with_the_batch_and_with_time(copies: int, axis: int, reuse: str, seed: int) -> None:
    torch.manual_seed(seed)
    model = Sequential(DelayLinear(5, 4, 40.0, 10.0), nn.Linear(4, 3))
    x = (torch.rand(2, 3, 5) < 0.4).float()
    once, more = (count_traffic(measure(model, [part]), reuse=reuse) for part in (x, torch.cat([x] * copies, axis)))
    first, longer = (sum(part.n_bytes for part in found.moved if part.layer == "stages.0") for found in (once, more))
    assert longer == pytest.approx(copies * first)
