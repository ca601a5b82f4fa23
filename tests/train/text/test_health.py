"""Firing rates of language models, against counting by hand."""

import pytest
import torch

from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt import NeuronConfig
from dendrix.models.spikegpt.blocks import Spikes
from dendrix.train.health import warnings
from dendrix.train.text.health import GATE, SpikeWatch


def network(spikes: Spikes) -> SpikeGPT:
    torch.manual_seed(0)
    return SpikeGPT(SpikeGPTConfig(7, 16, 2, spikes=spikes, v_threshold=0.1)).eval()


@torch.no_grad()
def test_rates_are_spikes_per_neuron_and_token() -> None:
    model = network("output")
    watch, seen = SpikeWatch(model), []
    model.blocks[0].get_submodule("att").register_forward_hook(lambda module, given, y: seen.append(y[0]))
    for length in (5, 9):
        model(torch.randint(7, (3, length)))
    health = watch.health(lambda x: x)
    assert list(health) == ["blocks.0.att", "blocks.0.ffn", "blocks.1.att", "blocks.1.ffn"]
    spikes = torch.cat([y.flatten(0, 1) for y in seen])
    assert 0 < health["blocks.0.att"]["rate"] == pytest.approx(spikes.mean().item())
    assert health["blocks.0.att"]["dead"] == pytest.approx((spikes.sum(0) == 0).double().mean().item())
    assert watch.health(lambda x: x) == {}


@torch.no_grad()
def test_spikes_before_products_are_counted_where_they_go_in() -> None:
    watch = SpikeWatch(model := network("input"))
    model(torch.randint(7, (2, 30)))
    health = watch.health(lambda x: x)
    assert [name.removeprefix("blocks.0.") for name in health][:4] == ["att.key", "att.output", "ffn.key", "ffn.value"]
    assert all(0 < shares["rate"] < 1 for shares in health.values())


def test_nothing_is_counted_in_training_or_without_neurons() -> None:
    for model in (network("output").train(), network("none")):
        watch = SpikeWatch(model)
        model(torch.randint(7, (2, 5)))
        assert watch.health(lambda x: x) == {}


FORMS = {
    "published": NeuronConfig(),
    "counts": NeuronConfig(levels=3),
    "ternary": NeuronConfig(signed=True),
    "counts of both signs": NeuronConfig(levels=2, signed=True, scales=True, decays=True),
}


@torch.no_grad()
@pytest.mark.parametrize("neurons", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("spikes", ["input", "output"])
@pytest.mark.parametrize(("drive", "kind"), [(0.0, "dead"), (1.5, "saturated"), (-1.5, ""), (1e3, "saturated")])
def test_neurons_that_never_or_always_fire_are_warned_about(neurons: NeuronConfig, spikes: Spikes, drive: float, kind: str) -> None:
    """Every group of them, and the gates of local attention: whatever the drive, within a token or two it crosses a threshold or none."""
    model = SpikeGPT(SpikeGPTConfig(7, 16, 2, spikes=spikes, neurons=neurons, v_threshold=0.5, window=4)).eval()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.constant_(module.bias, drive)
        elif name.endswith(".local"):
            torch.nn.init.zeros_(module.current.weight)
            torch.nn.init.constant_(module.current.bias, 2 * drive)
        elif spikes == "output" and name.endswith(("att", "ffn")):
            module.register_forward_pre_hook(lambda module, given: None)
            module.neurons[0].register_forward_pre_hook(lambda module, given: (torch.full_like(given[0], drive), *given[1:]))
    kind = kind or ("saturated" if neurons.signed else "dead")
    watch = SpikeWatch(model)
    model(torch.randint(7, (3, 60)))
    found = watch.health(lambda x: x)
    groups = {name: shares for name, shares in found.items() if not name.endswith(GATE)}
    assert len(groups) == (8 if spikes == "input" else 4)
    assert {name: shares[kind] for name, shares in groups.items()} == dict.fromkeys(groups, 1.0)
    gates = {"dead" if drive <= 0 else "saturated"}
    expected = {f"{name}: {kind}" for name in groups} | {f"blocks.{i}.att.local.gate: {one}" for i in range(2) for one in gates}
    assert set(warnings(found)) == expected


@torch.no_grad()
def test_separate_neurons_are_groups_of_their_own() -> None:
    model = SpikeGPT(SpikeGPTConfig(7, 16, 1, spikes="input", neurons=NeuronConfig(separate=True))).eval()
    watch = SpikeWatch(model)
    model(torch.randint(7, (2, 9)))
    groups = {"att": ("key", "value", "receptance", "output"), "ffn": ("key", "receptance", "value")}
    assert list(watch.health(lambda x: x)) == [f"blocks.0.{half}.{name}" for half, names in groups.items() for name in names]


@torch.no_grad()
def test_counts_of_many_spikes_at_few_steps_are_not_saturated() -> None:
    """Their mean is one spike for a step."""
    model = SpikeGPT(SpikeGPTConfig(7, 16, 1, spikes="input", neurons=NeuronConfig(levels=3))).eval()
    watch = SpikeWatch(model)
    for x in (torch.zeros(1, 2, 16), torch.full((1, 1, 16), 3.0)):
        model.blocks[0].att.key(x)
    [shares] = watch.health(lambda x: x).values()
    assert shares == {"rate": 1.0, "dead": 0.0, "saturated": 0.0}
