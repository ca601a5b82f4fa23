"""The energy meter counts an integer network as it counts the network that it was made of."""

import pytest

from dendrix.deploy import quantise
from dendrix.energy import measure
from dendrix.layers import freeze
from support.integer_networks import frames, network


def test_operations_are_those_of_the_float_network() -> None:
    net, x = network("RecurrentDelay", inputs=16, hidden=32), frames(4, 20, 16)
    whole = quantise(net, [x], input_bits=16)
    expected, found = measure(freeze(net), [x]), measure(whole, [x])
    assert len(found.layers) == len(expected.layers) == 3
    assert found.steps == expected.steps
    for one, other in zip(found.layers, expected.layers, strict=True):
        assert one.dense == other.dense
        assert one.reached == pytest.approx(other.reached, rel=0.05)
    first, own, last = found.layers
    assert (own.kind, last.kind) == ("spikes", "spikes")
    assert first.weight_bytes * 4 == expected.layers[0].weight_bytes
