"""The meter: what is a spike, what counts, and that the network stays as it was."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import dendrix
from dendrix.convert import convert
from dendrix.core import Stateful
from dendrix.energy import Costs, measure
from dendrix.layers import DelayLinear, PerStep, Sequential
from dendrix.models import VGG, SpikeGPT, SpikeGPTConfig, VGGConfig
from dendrix.models.spikegpt import NeuronConfig, SpikeGPTClassifier
from dendrix.neurons import LI, LIF


class Same(Stateful):
    """A linear layer that sees what it is given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, 2)

    def forward(self, x, state=None, valid=None):
        return self.linear(x), ()


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        ([[0.0, 1.0], [1.0, 1.0]], "spikes"),
        ([[0.0, 0.3], [0.3, 0.3]], "spikes"),
        ([[0.0, -1.0], [0.0, -1.0]], "spikes"),
        ([[1.0, -1.0], [0.0, -1.0]], "signed spikes"),
        ([[0.0, 0.0], [0.0, 0.0]], "silence"),
        ([[0.0, 0.5], [1.0, 0.5]], "numbers"),
    ],
)
def test_kinds_of_input(x: list[list[float]], kind: str) -> None:
    (layer,) = measure(Same(2), [torch.tensor([x])]).layers
    assert layer.kind == kind


def test_a_channel_may_have_an_amplitude_of_its_own_if_it_comes_and_goes() -> None:
    amplitude = torch.tensor([0.5, 2.0, 3.0])
    batch = (torch.rand(8, 5, 3) < 0.5).float() * amplitude
    assert measure(Same(3), [batch]).layers[0].kind == "spikes"
    assert measure(Same(3), [amplitude.expand(1, 5, 3)]).layers[0].kind == "numbers"  # a still image


def test_batches_are_judged_together() -> None:
    first, second = torch.ones(2, 3, 2), torch.full((2, 3, 2), 0.5)
    assert measure(Same(2), [first]).layers[0].kind == "spikes"
    assert measure(Same(2), [first, second]).layers[0].kind == "numbers"


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 7), min_size=2, max_size=4), batch=st.integers(1, 4), steps=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_random_network_is_counted_as_by_a_loop(sizes: list[int], batch: int, steps: int, seed: int) -> None:
    torch.manual_seed(seed)
    stages: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        stages += [nn.Linear(before, after), LIF(after, v_threshold=0.2)]
    model, x = Sequential(*stages), torch.randn(batch, steps, sizes[0])
    valid = torch.rand(batch, steps) < 0.7
    report = measure(model, [(x, valid, torch.zeros(batch))])
    expected_acs, expected_macs = 0, int(valid.sum()) * sizes[0] * sizes[1]
    signal = x * valid.unsqueeze(-1)
    for index in range(0, len(stages), 2):
        if index:
            expected_acs += int((signal != 0).sum()) * stages[index].out_features
        signal, _ = stages[index + 1](stages[index](signal), None, valid)
    if report.layers[0].kind == "numbers":  # a single value is a spike
        assert (report.operations.macs, report.operations.acs) == (expected_macs, expected_acs)
    assert report.dense.macs == sum(int(valid.sum()) * a * b for a, b in itertools.pairwise(sizes))


def test_padding_and_batches_do_not_matter() -> None:
    torch.manual_seed(3)
    model = Sequential(DelayLinear(4, 8, 40, 10), LIF(8, v_threshold=0.3), DelayLinear(8, 2, 40, 10), LI(2))
    long, short = torch.rand(1, 9, 4).round(), torch.rand(1, 5, 4).round()
    padded = torch.cat([short, torch.ones(1, 4, 4)], 1)
    valid = torch.arange(9) < torch.tensor([[9], [5]])
    together = measure(model, [(torch.cat([long, padded]), valid, torch.zeros(2))])
    apart = measure(model, [long, short])
    assert together.steps == apart.steps == 14
    for one, other in zip(together.layers, apart.layers, strict=True):
        assert (one.dense, one.reached, one.kind) == (other.dense, other.reached, other.kind)
    assert together.rates[0].rate == pytest.approx(apart.rates[0].rate)


def test_the_network_is_as_before() -> None:
    model = Sequential(DelayLinear(4, 8, 40, 10), LIF(8), nn.Dropout(0.5), nn.Linear(8, 2)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    measure(model, [torch.rand(2, 3, 4)])
    with pytest.raises(ValueError, match="C=4"):
        measure(model, [torch.rand(2, 3, 5)])
    with pytest.raises(ValueError, match="at least one batch"):
        measure(model, [])
    assert all(not module._forward_hooks for module in model.modules())
    assert all(module.training for module in model.modules())
    assert not model.stages[0].rounded
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(("spikes", "kinds"), [("output", {"numbers"}), ("none", {"numbers"}), ("input", {"spikes", "silence"})])
def test_spikegpt_as_published_has_no_product_that_spikes_feed(spikes: str, kinds: set[str]) -> None:
    torch.manual_seed(1)
    model = SpikeGPT(SpikeGPTConfig(20, width=8, layers=2, spikes=spikes, v_threshold=0.02))
    report = measure(model, [torch.randint(20, (4, 16))])
    head = report.layers[-1]
    assert head.name == "head"
    assert head.kind == "numbers"
    assert {layer.kind for layer in report.layers[:-1]} <= kinds
    assert report.dense.macs == 64 * (2 * 13 * 64 + 20 * 8)
    assert [rate.name for rate in report.rates if "." in rate.name] == (
        ["blocks.0.att", "blocks.0.ffn", "blocks.1.att", "blocks.1.ffn"] if spikes == "output" else []
    )
    assert next(rate.rate for rate in report.rates if rate.name == "SpikeGPT") == pytest.approx(0.5, abs=0.2)
    if spikes == "input":
        assert any(layer.kind == "spikes" for layer in report.layers)


def test_a_converted_network_computes_its_first_layer_once_for_each_image() -> None:
    torch.manual_seed(0)
    ann = VGG(VGGConfig(stages=((4,), (8,)), threshold=1.0)).eval()
    network = convert(ann, torch.zeros(2, 3, 32, 32)).network
    images = torch.rand(2, 3, 3, 32, 32)
    report = measure(network, (network.encode(batch, 4) for batch in images))
    layers = {layer.name.split(".", 1)[1]: layer for layer in report.layers}
    assert (report.inputs, report.steps) == (6, 24)
    assert layers["features.0"].dense == 6 * 3 * 4 * (94 * 94)
    assert layers["features.0"].kind == "numbers"
    assert layers["features.4"].dense == 24 * 4 * 8 * (46 * 46)
    assert layers["features.4"].kind == "numbers"
    assert [rate.name for rate in report.rates] == ["body.features.2", "body.features.6"]


def test_without_pooling_a_converted_network_is_fed_by_spikes() -> None:
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Conv2d(1, 3, 3), dendrix.layers.QCFS(4, 1.0), nn.Conv2d(3, 2, 3), nn.Flatten()).eval()
    network = convert(ann, torch.zeros(2, 1, 8, 8)).network
    report = measure(network, (network.encode(batch, 4) for batch in torch.rand(2, 5, 1, 8, 8)))
    assert [layer.kind for layer in report.layers][1] in ("spikes", "signed spikes")


def test_the_speech_network_that_comes_with_dendrix() -> None:
    model = dendrix.load("fsdd")
    report = measure(model, [torch.rand(2, 30, model.config.inputs)])
    kinds = [layer.kind for layer in report.layers]
    assert kinds[0] == "numbers"
    assert set(kinds[1:]) == {"spikes"}
    assert 0 < report.operations.picojoules(Costs()) < report.dense.picojoules(Costs())


def test_a_plain_network_of_torch() -> None:
    report = measure(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), [(torch.rand(5, 4), torch.zeros(5))])
    assert report.dense.macs == 5 * (12 + 6)
    assert report.steps == 5


def test_modules_over_folded_steps_see_the_mask() -> None:
    x, valid = torch.rand(2, 3, 4), torch.tensor([[True, True, True], [True, False, False]])
    (layer,) = measure(PerStep(nn.Linear(4, 2)), [(x, valid, torch.zeros(2))]).layers
    assert layer.dense == 4 * 8


@torch.no_grad()
@pytest.mark.parametrize("neurons", [NeuronConfig(levels=3, separate=True), NeuronConfig(levels=2, signed=True, scales=True)])
@pytest.mark.parametrize("kind", [SpikeGPT, lambda config: SpikeGPTClassifier(config, 3)])
def test_spike_counts_are_as_many_spikes(kind: Any, neurons: NeuronConfig) -> None:
    model = kind(SpikeGPTConfig(40, 24, 2, spikes="input", neurons=neurons, v_threshold=0.3)).eval()
    tokens, inputs = torch.randint(40, (2, 9)), dict[str, Any]()
    halves = {f"blocks.{i}.{part}": block.get_submodule(part) for i, block in enumerate(model.blocks) for part in ("att", "ffn")}
    hooks = [
        half.get_submodule(half.last).register_forward_pre_hook(lambda _, given, name=name: inputs.update({name: given[0]}))
        for name, half in halves.items()
    ]
    model(tokens)
    for hook in hooks:
        hook.remove()
    layers = {layer.name: layer for layer in measure(model, [tokens]).layers}
    assert {layer.kind for name, layer in layers.items() if name.startswith("blocks.")} <= {"spikes", "signed spikes", "silence"}
    for name, half in halves.items():
        spikes, found = half.neurons_before(half.last).counts(inputs[name]).sum().item(), layers[f"{name}.{half.last}"]
        assert found.operations.acs == pytest.approx(spikes * 24)
        assert found.rate == pytest.approx(spikes / inputs[name].numel())
        assert found.dense == inputs[name].numel() * 24
    assert {layer.module for layer in layers.values()} == {"Linear"}
    assert not any("product" in name for name, _ in model.named_modules())
