"""Quantisation: close to the float network, proven, and refused where it cannot be."""

import pytest
import torch
from torch import nn

from dendrix.deploy import bound, quantise
from dendrix.errors import InputError
from dendrix.layers import BatchNorm, DelayLinear, Sequential, SparseLinear, freeze
from dendrix.models import DelayNet, DelayNetConfig
from dendrix.neurons import LI, LIF, SignedIF
from support.integer_networks import NEURONS, frames, network


@pytest.mark.parametrize("kind", NEURONS)
def test_close_to_the_float_network(kind: str) -> None:
    net, x = network(kind), frames(16, 25)
    whole = quantise(net, [frames(64)], input_bits=16)
    expected, found = freeze(net)(x)[0].double(), whole(x)[0]
    assert expected.std() > 0.01
    # A spike more or less by rounding moves an output; nearly all outputs have none.
    assert ((found - expected).abs() < 0.03 * expected.std()).float().mean() > 0.8


@pytest.mark.parametrize("granularity", ["synaptic", "axonal", "dendritic"])
def test_delays_of_every_granularity(granularity: str) -> None:
    net, x = network("LIF", granularity=granularity, kernel_count=2), frames(16, 25)
    expected, found = freeze(net)(x)[0].double(), quantise(net, [x], input_bits=16)(x)[0]
    assert ((found - expected).abs() < 0.03 * expected.std()).float().mean() > 0.8


def test_a_network_without_neurons_is_its_linear_layer() -> None:
    net, x = Sequential(nn.Linear(5, 3)).eval(), frames(3, 4, 5)
    assert (quantise(net, [x], input_bits=16)(x)[0] - net(x)[0].double()).abs().max() < 0.02


def test_sparse_layers_and_plain_containers() -> None:
    net = nn.Sequential(SparseLinear(6, 10, 0.5), nn.BatchNorm1d(10), nn.Dropout(0.1), LIF(10), nn.Identity(), nn.Linear(10, 2)).eval()
    y, _ = quantise(net, [frames()])(frames())
    assert y.shape == (4, 20, 2)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_weights_use_their_bits(bits: int) -> None:
    net = quantise(network(), [frames()], weights=bits)
    assert net.weights.abs().max() == 2 ** (bits - 1) - 1
    assert all(bound(layer, 128 if k == 0 else 1).proven for k, layer in enumerate(net.layers()))


def test_counts_keep_their_values() -> None:
    net = quantise(network(), [torch.randint(0, 9, (4, 20, 6)).float()])
    assert (net.inputs.shift, net.inputs.bits) == (0, 8)


def test_invalid_steps_do_not_calibrate() -> None:
    x = frames()
    x[0, 5:] = 1e6
    valid = torch.ones(4, 20, dtype=torch.bool)
    valid[0, 5:] = False
    assert quantise(network(), [(x, valid, torch.zeros(4))]).inputs.shift == 6


def test_the_network_stays_as_it_was() -> None:
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    quantise(net, [frames()])
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Sequential(nn.Linear(6, 4), SignedIF(4, v_threshold=1.0), nn.Linear(4, 2)), r"1: expected .* SignedIF"),
        (Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)), "1: expected .* ReLU, which cannot be lowered"),
        (Sequential(nn.Linear(6, 4), nn.Linear(4, 2)), "1: expected neurons between two layers"),
        (Sequential(LIF(6)), "0: expected neurons behind a linear or delay layer"),
        (Sequential(BatchNorm(6), nn.Linear(6, 2)), "0: expected BatchNorm behind"),
        (Sequential(nn.Linear(6, 4), LI(4), nn.Linear(4, 2)), "2: expected LI as the last part"),
        (Sequential(nn.Identity()), "without any"),
        (DelayNet(DelayNetConfig(6, 2, hidden=(4,), padding="published")), "padding"),
        (Sequential(DelayLinear(6, 2, max_delay_ms=3000)), "at most 255 steps"),
    ],
)
def test_what_has_no_integer_form_is_named(net: nn.Module, message: str) -> None:
    with pytest.raises(InputError, match=message):
        quantise(net.eval(), [frames()])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "at least one batch"),
        ([torch.zeros(2, 0, 6)], "at least one batch"),
        ([torch.zeros(2, 3, 6, dtype=torch.complex64)], "real inputs, got torch.complex64"),
        ([torch.full((1, 3, 6), torch.nan)], "finite inputs"),
        ([torch.full((1, 3, 6), 4e4)], "fit into 16 bits"),
        ([frames(channels=5)], r"C=6"),
    ],
)
def test_calibration_data_that_do_not_fit(data: list[torch.Tensor], message: str) -> None:
    with pytest.raises(InputError, match=message):
        quantise(network(), data)


def test_weights_that_are_not_finite() -> None:
    net = network()
    net.stages[0].weight.data[0, 0, 0] = torch.nan
    with pytest.raises(InputError, match="NaN or infinity"):
        quantise(net, [frames()])


def test_a_state_of_another_network() -> None:
    net = quantise(network(), [frames()])
    with pytest.raises(InputError, match="IntegerState of shape"):
        net(frames(3), net(frames(2))[1])
