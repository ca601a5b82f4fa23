"""Export to NIR: the graph, the file, and the network in the metadata."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dendrix.core import Stateful
from dendrix.exchange import GraphNetwork, NIRNeuron, build_graph, from_nir, nir_graph, read_graph, reading_of, to_nir
from dendrix.exchange.delay_line import DelayLine
from dendrix.exchange.layers import BatchedLinear, Scale, Threshold
from dendrix.layers import (
    QCFS,
    BatchNorm,
    DelayLinear,
    HeldDropout,
    KWinners,
    PerStep,
    Recurrent,
    RecurrentDelay,
    Sequential,
    SparseLinear,
    freeze,
    rounded,
)
from dendrix.models import (
    VGG,
    Converted,
    ConvertedConfig,
    DelayNet,
    DelayNetConfig,
    DendriticNet,
    DendriticNetConfig,
    SpikeGPT,
    SpikeGPTConfig,
    VGGConfig,
)  # fmt: skip
from dendrix.neurons import IF, LI, LIF, PLIF, AdLIF, CubaLIF, SignedIF

SIZE = 6


def norm() -> BatchNorm:
    """BatchNorm that has seen data."""
    layer = BatchNorm(SIZE)
    for value in (layer.running_mean, layer.running_var, layer.weight.data, layer.bias.data):
        value.uniform_(0.5, 1.5)
    return layer


def dyadic(layer: DelayLinear) -> DelayLinear:
    """A layer whose sums are exact in every order."""
    with torch.no_grad():
        layer.weight.copy_((layer.weight * 64).round() / 64)
    return layer


def delays(**options: Any) -> DelayLinear:
    return DelayLinear(SIZE, SIZE, 60.0, 10.0, train_delays=False, **options)


def residual() -> GraphNetwork:
    layers = {"a": PerStep(nn.Linear(3, SIZE)), "b": NIRNeuron(SIZE), "c": PerStep(nn.Linear(SIZE, SIZE)), "d": NIRNeuron(SIZE, beta=0.5)}
    edges = [("x", "a"), ("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("d", "e"), ("d", "y"), ("b", "z")]
    return GraphNetwork({**layers, "e": DelayLine(2)}, edges, {"x": (3,)}, {"y": (SIZE,), "z": (SIZE,)}, [("e", "b")])


NETWORKS: dict[str, Stateful] = {
    "LIF": Sequential(nn.Linear(3, SIZE), LIF(SIZE, 10.0, 10.0)),
    "LIF with all": Sequential(
        nn.Linear(3, SIZE),
        LIF(SIZE, [5.0, 8, 10, 12, 20, 40], v_reset=-0.1, v_threshold=[0.5, 0.6, 0.7, 0.8, 0.9, 1.0], v_init=0.2, amplitude=2.0),
    ),
    "scaled LIF, soft reset": Sequential(nn.Linear(3, SIZE), LIF(SIZE, scale_input=True)),
    "PLIF, LI": Sequential(nn.Linear(3, SIZE), PLIF(SIZE), LI(SIZE)),
    "CubaLIF": Sequential(nn.Linear(3, SIZE), CubaLIF(SIZE, v_reset=0.0), CubaLIF(SIZE, scale_input=True)),
    "AdLIF": Sequential(
        nn.Linear(3, SIZE), AdLIF(SIZE, 10.0, a=[0.0, 0.1, 0.2, 0.3, -0.1, 0.5], v_threshold=0.4), AdLIF(SIZE, v_threshold=0.1)
    ),
    "AdLIF with feedback": Sequential(nn.Linear(3, SIZE), Recurrent(AdLIF(SIZE, v_threshold=0.2), nn.Linear(SIZE, SIZE))),
    "SignedIF": Sequential(
        nn.Linear(3, SIZE), SignedIF(SIZE, v_threshold=0.75, v_init=0.375, limit=3), nn.Linear(SIZE, SIZE), SignedIF(SIZE)
    ),
    "IF": Sequential(nn.Linear(3, SIZE), IF(SIZE, v_threshold=0.75, v_init=0.375, amplitude=0.75)),
    "BatchNorm": Sequential(nn.Linear(3, SIZE), norm(), LIF(SIZE), HeldDropout(0.4), SparseLinear(SIZE, SIZE), norm(), LIF(SIZE)),
    "delays": Sequential(delays(), norm(), LIF(SIZE, 10.0, 10.0), delays(granularity="axonal"), LI(SIZE, 10.0, 10.0)),
    "feedback": Sequential(nn.Linear(3, SIZE), Recurrent(LIF(SIZE, amplitude=0.5), nn.Linear(SIZE, SIZE))),
    "delayed feedback": Sequential(nn.Linear(3, SIZE), RecurrentDelay(LIF(SIZE), 5.0, 1.0, start_ms=3.0, train_delays=False)),
    "elementwise": Sequential(nn.Linear(3, SIZE), Scale([1.0, 2, 3, 4, 5, 6]), Threshold(0.3), DelayLine([0, 1, 2, 3, 4, 5])),
    "a graph": residual(),
    "coefficients": Sequential(nn.Linear(3, SIZE), NIRNeuron(SIZE, alpha=0.5, p=0.25, q=0.5, c=0.1, v_reset=None, rho=0.5)),
    "integrators": Sequential(
        nn.Linear(3, SIZE), NIRNeuron(SIZE, beta=1.0, v_threshold=None), NIRNeuron(SIZE, v_threshold=None, alpha=0.5, p=0.5)
    ),
    "a convolution in one dimension": Sequential(
        PerStep(nn.Conv1d(2, 4, 3, stride=2, padding=1, groups=2)), LIF(4), PerStep(nn.Flatten()), nn.Linear(16, 3)
    ),
    "maps": Sequential(
        PerStep(nn.Conv2d(2, 4, 3, padding="same")),
        LIF(4),
        PerStep(nn.AvgPool2d(2)),
        PerStep(nn.AvgPool2d(2, divisor_override=1)),
        PerStep(nn.Flatten()),
        nn.Linear(16, 3),
    ),
    "batched weights": Sequential(PerStep(BatchedLinear(np.ones((2, 4, 3)) / 3, np.zeros((2, 4)))), LIF(2)),
}
SHAPES = {"a convolution in one dimension": (2, 7), "maps": (2, 8, 8), "batched weights": (2, 3)}


def spikes(network: Stateful, shape: tuple[int, ...]) -> torch.Tensor:
    """Random input for a network, [3, 40, ...]."""
    dtype = next(network.parameters()).dtype
    return (torch.rand(3, 40, *shape) < 0.3).to(dtype) * 2


@pytest.mark.parametrize("name", NETWORKS)
def test_a_graph_gives_the_outputs_of_its_network(name: str, tmp_path: Path) -> None:
    """With the network in the metadata, and by the graph alone."""
    network = NETWORKS[name].eval()
    shape = SHAPES.get(name)
    graph = to_nir(network, tmp_path / "net.nir", dt_ms=10.0 if "delays" in name else 1.0, shape=shape)
    read = read_graph(tmp_path / "net.nir")
    assert read.nodes.keys() == graph.nodes.keys()
    x = spikes(network, read.nodes[read.of_type("Input")[0]].shape)
    y, _ = network(x)
    assert torch.equal(from_nir(tmp_path / "net.nir")(x)[0], y)
    plain = build_graph(read, reading_of(read)).double()
    torch.testing.assert_close(plain(x.double())[0].float(), y, rtol=1e-4, atol=1e-5)
    nir.read(tmp_path / "net.nir", type_check="one dimension" not in name)  # it takes the channels of a group for all


@pytest.mark.parametrize("construction", ["lag-rows", "branches", "synapses"])
@given(st.data())
@settings(max_examples=20, deadline=None)
def test_synaptic_delays_to_the_bit(construction: str, data: st.DataObject) -> None:
    into, out, count = (data.draw(st.integers(1, 5)) for _ in range(3))
    torch.manual_seed(data.draw(st.integers(0, 2**31)))
    layer = dyadic(DelayLinear(into, out, 10.0 * data.draw(st.integers(0, 9)), 10.0, kernel_count=count, train_delays=False))
    graph = to_nir(layer, construction=construction, compact=False)
    x = torch.randint(-3, 4, (2, 25, into)).float()
    assert torch.equal(from_nir(graph)(x)[0], layer(x)[0])


@pytest.mark.parametrize("granularity", ["synaptic", "axonal", "dendritic"])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("compact", [True, False])
def test_large_delay_layers_to_the_bit(granularity: str, count: int, compact: bool, tmp_path: Path) -> None:
    layer = dyadic(DelayLinear(128, 128, 250.0, 10.0, granularity=granularity, kernel_count=count, train_delays=False))
    to_nir(layer, tmp_path / "net.nir", compact=compact)
    back = from_nir(tmp_path / "net.nir")
    x = (torch.rand(2, 40, 128) < 0.1).float()
    assert torch.equal(back(x)[0], layer(x)[0])
    assert isinstance(back, DelayLinear) == compact


def test_a_delay_network_comes_back_as_it_trains(tmp_path: Path) -> None:
    network = DelayNet(DelayNetConfig(8, 3, (6, 6), recurrent_delay_ms=50.0)).eval()
    with pytest.raises(ValueError, match=r"expected delays in whole steps, got learned ones\. Agree"):
        to_nir(network, tmp_path / "net.nir")
    assert not list(tmp_path.iterdir())
    to_nir(network, tmp_path / "net.nir", round_delays=True, facts={"classes": ["a", "b", "c"], "accuracy": 0.5})
    back = from_nir(tmp_path / "net.nir")
    assert isinstance(back, DelayNet)
    assert all(torch.equal(value, back.state_dict()[name]) for name, value in network.state_dict().items())
    read = read_graph(tmp_path / "net.nir")
    x = (torch.rand(2, 50, 8) < 0.2).float()
    with rounded(network):
        torch.testing.assert_close(build_graph(read, reading_of(read))(x)[0], network(x)[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("feedback_step", [False, True])
@pytest.mark.parametrize("time_constants", ["euler", "exponential"])
def test_other_readings_are_told_in_the_metadata(feedback_step: bool, time_constants: Any) -> None:
    network = NETWORKS["delayed feedback"].eval()
    graph = to_nir(network, dt_ms=1.0, feedback_step=feedback_step, time_constants=time_constants, compact=False)
    (delay,) = graph.of_type("Delay")
    assert (graph.nodes[delay].params["delay"] / 1e-3).min() == pytest.approx(
        network.stages[1].integer_delay().min().item() + feedback_step, abs=1e-6
    )
    x = (torch.rand(2, 40, 3) < 0.3).float() * 2
    assert torch.equal(from_nir(graph)(x)[0], freeze(network)(x)[0])


def test_numbers_of_a_leaky_integrator() -> None:
    graph = to_nir(LI(1, 20.0, 10.0), compact=False)
    params = graph.nodes[graph.of_type("LI")[0]].params
    assert (params["r"].item(), params["tau"].item()) == pytest.approx((2.54149, 0.0254149), rel=1e-5)
    graph = to_nir(LI(1, 20.0, 10.0), compact=False, time_constants="exponential")
    assert graph.nodes[graph.of_type("LI")[0]].params["tau"].item() == pytest.approx(0.02, rel=1e-6)


def test_an_edited_graph_wins_over_its_metadata(tmp_path: Path) -> None:
    network = NETWORKS["LIF"]
    to_nir(network, tmp_path / "net.nir")
    graph = read_graph(tmp_path / "net.nir")
    (name,) = graph.of_type("Affine")
    node = graph.nodes[name]
    edited = graph.with_node(name, replace(node, params={**node.params, "weight": node.params["weight"] * 2}))
    with pytest.warns(UserWarning, match="edited after its export"):
        back = from_nir(edited)
    assert torch.equal(back.stages[0].module.weight, network.stages[0].weight * 2)


def test_damaged_metadata_are_one_sentence() -> None:
    graph = to_nir(NETWORKS["LIF"], dt_ms=1.0)
    told = graph.metadata["dendrix"]
    for wrong in ({"facts": "{"}, {"network": '{"model": "mine"}'}, {"network": "[]"}, {"tensors": {}}):
        with pytest.raises(ValueError, match=r"metadata: expected|model: expected"):
            from_nir(replace(graph, metadata={"dendrix": {**told, **wrong}}))


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (
            Sequential(nn.Linear(3, 3), KWinners(3, 1)),
            r"\w*1 \(KWinners\): expected layers of the equations of NIR, but its units compete",
        ),
        (SpikeGPT(SpikeGPTConfig(50, 16, 2)), r"network \(SpikeGPT\): expected layers of the equations of NIR, but its normalisation"),
        (DendriticNet(DendriticNetConfig(3, 2, (8,), tasks=2)), r"network \(DendriticNet\): .*a context multiplies"),
        (Sequential(nn.Linear(3, 3), nn.ReLU()), "expected a layer that NIR can express"),
        (Sequential(LIF(3), BatchNorm(3)), "expected BatchNorm behind a linear layer"),
        (NIRNeuron(3, grid=0.25), "its products are truncated"),
        (NIRNeuron(3, v_min=0.0), "a lower bound"),
        (NIRNeuron(3, fires="floor"), "several times in a step"),
        (NIRNeuron(3, alpha=0.5, p=1.0, q=0.0), "in another order"),
        (DelayLinear(3, 3, 50.0, 10.0, train_delays=False, padding="published"), "expected padding='causal'"),
        (Sequential(PerStep(nn.AvgPool2d(2, ceil_mode=True))), "expected the mean or the sum of whole windows"),
    ],
)
def test_what_nir_has_not_is_refused(network: Stateful, why: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=why):
        to_nir(network, tmp_path / "net.nir", dt_ms=1.0, shape=(2, 5, 5) if "windows" in why else None)
    assert not list(tmp_path.iterdir())


def test_a_time_step_must_be_known() -> None:
    with pytest.raises(ValueError, match=r"dt_ms: expected one time step for all layers, got none"):
        to_nir(NETWORKS["integrators"])
    with pytest.raises(ValueError, match="got 1 and 10"):
        to_nir(Sequential(LIF(3, dt_ms=1.0), LI(3, dt_ms=10.0)))
    with pytest.raises(ValueError, match=r"shape: expected that of one step"):
        to_nir(NETWORKS["maps"], dt_ms=1.0)


@pytest.mark.parametrize("neuron", ["if", "signed"])
def test_a_converted_network_takes_the_image_at_every_step(neuron: Any, tmp_path: Path) -> None:
    config = VGGConfig(3, stages=((4,), (4,)), threshold=1.0)
    network = Converted(ConvertedConfig("vgg", vars(config), height=8, width=8, neuron=neuron), VGG(config).eval()).eval()
    images = torch.rand(2, 3, 8, 8)
    frames, wanted = images.unsqueeze(1).expand(-1, 8, 3, 8, 8), network(network.encode(images, 8))[0]
    for compact in (False, True):
        graph = to_nir(network, tmp_path / "net.nir", dt_ms=1.0, compact=compact)
        torch.testing.assert_close(from_nir(tmp_path / "net.nir")(frames)[0], wanted, rtol=1e-4, atol=1e-5)
    assert {"Conv2d", "AvgPool2d", "I" if neuron == "signed" else "IF", "Flatten", "Affine"} <= {node.type for node in graph.nodes.values()}
    assert graph.nodes["input"].shape == (3, 8, 8)
    currents = to_nir(network.network, dt_ms=1.0)  # without the layers before the first neurons
    assert currents.nodes["input"].shape == tuple(network.network.current)


class Centred(nn.Module):
    """A network that subtracts a mean from its image."""

    def __init__(self, *mean: int):
        super().__init__()
        self.mean = nn.Parameter(torch.rand(mean), requires_grad=False)
        self.rest = nn.Sequential(nn.Conv2d(3, 2, 3), QCFS(4, 1.0), nn.Flatten(), nn.Linear(8, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.rest((x - self.mean) / 2)
        return y

    def arguments(self) -> dict[str, Any]:
        return {"mean": tuple(self.mean.shape)}


def test_what_is_subtracted_from_an_image_must_be_per_channel() -> None:
    def converted(*mean: int) -> Converted:
        centred = Centred(*mean).eval()
        return Converted(ConvertedConfig.of(centred, height=4, width=4, outputs=2), centred).eval()

    network, image = converted(3, 1, 1), torch.rand(1, 3, 4, 4)
    found = from_nir(to_nir(network, dt_ms=1.0, compact=False))(image.unsqueeze(1).expand(-1, 5, -1, -1, -1))[0]
    torch.testing.assert_close(found, network(network.encode(image, 5))[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"sub: expected an image and one value per channel, got \[3, 4, 4\]"):
        to_nir(converted(3, 4, 4), dt_ms=1.0)


def test_a_graph_as_an_object_of_nir() -> None:
    graph = to_nir(NETWORKS["LIF"], dt_ms=1.0, compact=False)
    x = spikes(NETWORKS["LIF"], (3,))
    assert torch.equal(from_nir(nir_graph(graph))(x)[0], from_nir(graph)(x)[0])
