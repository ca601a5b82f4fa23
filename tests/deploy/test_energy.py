"""The energy meter counts an integer network as it counts the network that it was made of."""

import pytest
import torch

from dendrix.deploy import quantise, quantise_text
from dendrix.energy import measure
from dendrix.layers import freeze
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt import NeuronConfig, unfolded
from dendrix.models.spikegpt.blocks import Spikes
from support.integer_images import CONVERTED, converted, images
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
        assert (one.rows, one.inputs, one.outputs, one.weights) == (other.rows, other.inputs, other.outputs, other.weights)
        assert 1 < one.taps <= other.taps
    assert [layer.kind for layer in found.layers[1:]] == ["spikes", "spikes"]
    assert sum(state.neurons for state in found.states) == sum(state.neurons for state in expected.states)


@pytest.mark.parametrize("kind", CONVERTED)
def test_operations_of_images_are_those_of_the_converted_network(kind: str) -> None:
    net = converted(kind)
    whole = quantise(net)
    # Batches are created while the meter looks on, as the first stage belongs to them.
    expected, found = (measure(model, (model.encode(x) for x in images().split(4))) for model in (net, whole))
    assert len(found.layers) == len(expected.layers) > 2
    assert found.steps == expected.steps
    dense, integer = (sorted((layer.dense, layer.reached) for layer in report.layers) for report in (expected, found))
    for one, other in zip(integer, dense, strict=True):
        assert one[0] == other[0]
        assert one[1] == pytest.approx(other[1], rel=0.1)
    assert {layer.kind for layer in found.layers} >= {"numbers"}


@pytest.mark.parametrize(
    ("spikes", "neurons"), [("output", NeuronConfig()), ("input", NeuronConfig()), ("input", NeuronConfig(levels=3, separate=True))]
)
def test_operations_of_texts_are_those_of_the_float_network(spikes: Spikes, neurons: NeuronConfig) -> None:
    torch.manual_seed(0)
    model = SpikeGPT(SpikeGPTConfig(vocab_size=50, width=24, layers=2, spikes=spikes, neurons=neurons)).eval()
    tokens = torch.randint(50, (3, 20))
    found = measure(quantise_text(model, [tokens]), [tokens])
    assert sorted(layer.dense for layer in found.layers) == sorted(layer.dense for layer in measure(model, [tokens]).layers)
    expected = measure(unfolded(model) if spikes == "input" else model, [tokens])  # spike counts, as sums of zeros and ones
    assert len(found.layers) == len(expected.layers) == 15
    assert sum(layer.reached for layer in found.layers) == pytest.approx(sum(layer.reached for layer in expected.layers), rel=0.05)
    assert sum(layer.kind == "spikes" for layer in found.layers) == sum(layer.kind == "spikes" for layer in expected.layers)
