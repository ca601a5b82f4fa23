"""Firing rates of language models, against counting by hand."""

import pytest
import torch

from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt.blocks import Spikes
from dendrix.train.text.health import SpikeWatch


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
