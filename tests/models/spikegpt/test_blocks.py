"""Time mixes other than the published one: where they are the same, what is refused, and what a run keeps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.deploy import IntegerSpikeGPT, quantise_text
from dendrix.energy import measure
from dendrix.errors import InputError
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt import NeuronConfig, deployable, unfolded
from dendrix.models.spikegpt.blocks import TimeMix

SMALL = SpikeGPTConfig(256, width=16, layers=2, spikes="input", dropout=0.0)
VARIANTS: list[dict[str, Any]] = [dict(decay_rank=3), dict(window=5), dict(decay_rank=3, window=16)]


def network(**options: Any) -> SpikeGPT:
    """One whose decays differ between tokens."""
    torch.manual_seed(1)
    made = SpikeGPT(replace(SMALL, **options)).eval()
    for name, parameter in made.named_parameters():
        if "decay_up" in name:
            torch.nn.init.normal_(parameter)
    return made


def test_the_default_is_the_published_network() -> None:
    torch.manual_seed(1)
    assert SpikeGPT(SMALL).state_dict().keys() == network().state_dict().keys()
    assert not any("decay_" in name or "local" in name for name in SpikeGPT(SMALL).state_dict())


@torch.no_grad()
@pytest.mark.parametrize("start", ["pytorch", "rwkv"])
def test_a_decay_that_depends_on_the_data_begins_as_the_published_one(start: Any) -> None:
    varying, plain = (SpikeGPT(replace(SMALL, start=start, decay_rank=rank)).eval() for rank in (3, 0))
    plain.load_state_dict({name: weight for name, weight in varying.state_dict().items() if "decay_" not in name or "time_decay" in name})
    for weight in (plain.head.weight, *(getattr(block.att, name).weight for block in plain.blocks for name in ("key", "output"))):
        torch.nn.init.normal_(weight)
    varying.load_state_dict(plain.state_dict(), strict=False)
    tokens = torch.randint(256, (2, 300))
    assert torch.equal(varying(tokens)[0], plain(tokens)[0])
    torch.nn.init.normal_(varying.blocks[1].att.decay_up.weight)
    assert not torch.equal(varying(tokens)[0], plain(tokens)[0])


def test_the_rate_has_a_limit() -> None:
    """exp(exp(x)) is soon infinite."""
    made = network(decay_rank=3)
    torch.nn.init.constant_(made.blocks[0].att.decay_up.weight, 1e3)
    torch.nn.init.normal_(made.blocks[0].att.decay_down.weight)
    made(torch.randint(256, (2, 40)))[0].sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in made.parameters())


@torch.no_grad()
@pytest.mark.parametrize("spikes", ["input", "output", "none"])
@pytest.mark.parametrize("options", VARIANTS)
def test_pieces_and_padding(options: dict[str, Any], spikes: Any) -> None:
    made, tokens = network(spikes=spikes, **options).double(), torch.randint(256, (2, 60))
    whole, _ = made(tokens)
    pieces, state = [], None
    for part in torch.split(tokens, [7, 1, 52], 1):
        y, state = made(part, state)
        pieces.append(y)
    assert_close(torch.cat(pieces, 1), whole)
    valid = torch.ones(2, 60, dtype=torch.bool)
    valid[0, :9] = False
    padded, _ = made(tokens, None, valid)
    assert_close(padded[0, 9:], made(tokens[:1, 9:])[0][0])
    assert_close(padded[1], whole[1])


def test_states_of_the_other_network_are_refused() -> None:
    tokens = torch.randint(256, (1, 5))
    networks = network(), network(window=5)
    for own, other in (networks, networks[::-1]):
        with pytest.raises(InputError, match="state: expected"):
            own(tokens, other(tokens)[1])


@pytest.mark.parametrize("options", VARIANTS)
def test_a_run_keeps_the_time_mix(options: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from dendrix.models.spikegpt.hf_files import load_network, save_language_model
    from dendrix.models.spikegpt.remote.modeling_spikegpt import SpikeGPTConfig as RemoteConfig

    made, tokens = network(**options), torch.randint(256, (1, 12))
    save_language_model(tmp_path, made, byte_tokenizer())
    again, _ = load_network(tmp_path)
    assert again.config == made.config
    assert torch.equal(again(tokens)[0], made(tokens)[0])
    with pytest.raises(ValueError, match=r"time mix: expected the published one, got \w+=.*Install and import dendrix\."):
        RemoteConfig.from_pretrained(tmp_path)
    save_language_model(tmp_path, network(), byte_tokenizer())
    assert RemoteConfig.from_pretrained(tmp_path).hidden_size == 16


@pytest.mark.parametrize("options", VARIANTS)
def test_what_knows_the_published_time_mix_only_refuses_others(options: dict[str, Any]) -> None:
    made = network(**options)
    for refused in (
        lambda: deployable(made, "a test"),
        lambda: quantise_text(made, [torch.randint(256, (1, 8))]),
        lambda: IntegerSpikeGPT(made.config),
    ):
        with pytest.raises(InputError, match=r"model: expected the published time mix for .*, got \w+=\d+.*\. Call the network itself"):
            refused()


@torch.no_grad()
def test_spike_counts_unfold_around_the_numbers() -> None:
    counted, tokens = network(neurons=NeuronConfig(levels=3, scales=True), decay_rank=3, window=4), torch.randint(256, (2, 30))
    apart = unfolded(counted)
    assert_close(apart(tokens)[0], counted(tokens)[0], atol=1e-5, rtol=1e-4)
    layers = {layer.name: layer.kind for layer in measure(apart, [tokens]).layers}
    assert {name for name, kind in layers.items() if kind == "numbers"} == {"head", *(name for name in layers if "decay_up" in name)}
    assert sum("local.current" in name for name in layers) == sum("local.query" in name for name in layers) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(decay_rank=17), r"decay_rank: expected at most the width, 16, got 17"),
        (dict(decay_rank=-1), r"decay_rank: expected a whole number in \[0, inf\)"),
        (dict(window=1), r"window: expected 0 .* or at least 2 tokens, got 1"),
        (dict(window=1025), r"window: expected a whole number in \[0, 1024\]"),
    ],
)
def test_configurations_without_a_sense_are_refused(options: dict[str, Any], message: str) -> None:
    for made in (lambda: replace(SMALL, **options), lambda: TimeMix(16, **options)):
        with pytest.raises(InputError, match=message):
            made()


@pytest.mark.parametrize("blocks", [dict(layers=0), dict(layers=1, channel_first=True)])
def test_options_of_a_time_mix_need_one(blocks: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"model: expected a block with a time mix for decay_rank=3, window=4, got none\. Add layers"):
        replace(SMALL, decay_rank=3, window=4, **blocks)
