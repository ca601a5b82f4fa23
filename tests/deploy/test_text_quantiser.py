"""Quantisation of a SpikeGPT: close to the network with the same rounded weights, and proven not to overflow."""

import copy

import pytest
import torch
from torch import Tensor

from dendrix.deploy import DeployedText, IntegerSpikeGPT, bound_text, quantise_text
from dendrix.deploy.text_layout import named_constants, named_weights
from dendrix.errors import InputError, InputTypeError
from dendrix.generate.packing import pack_network, rounded_weight, unpack_network
from dendrix.models import SpikeGPT
from dendrix.models.spikegpt import NeuronConfig
from dendrix.models.spikegpt.blocks import Spikes
from dendrix.models.spikegpt.deployment import folded
from support.integer_texts import float_network

TOKENS = torch.randint(0, 50, (2, 40), generator=torch.Generator().manual_seed(0))


def differences(model: SpikeGPT, whole: IntegerSpikeGPT) -> Tensor:
    """Differences of the logits from those of floating-point arithmetic with the same weights, in units of their spread."""
    with torch.no_grad():
        expected = unpack_network(pack_network(model, "int8"))(TOKENS)[0].double()
    return (whole(TOKENS)[0] - expected).abs() / expected.std()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"binary_embedding": False},
        {"channel_first": True},
        {"halve_stream": True, "layers": 7},
        {"spikes": "none"},
        {"spikes": "none", "binary_embedding": False, "halve_stream": True, "layers": 7},
    ],
    ids=str,
)
def test_logits_are_those_of_the_network(options: dict[str, object]) -> None:
    model = float_network(**options)
    found = differences(model, quantise_text(model, [TOKENS]))
    assert float(found.median()) < 1e-3  # a few tokens later a spike may differ


@pytest.mark.parametrize("options", [{}, {"channel_first": True}, {"binary_embedding": False}], ids=str)
def test_the_first_tokens_with_spikes_before_every_product(options: dict[str, object]) -> None:
    model = float_network(spikes="input", **options)
    found = differences(model, quantise_text(model, [TOKENS]))
    assert float(found[:, :2].median()) < 1e-3  # a spike that differs has large effects later


@pytest.mark.parametrize(
    ("spikes", "neurons"),
    [
        ("input", NeuronConfig(levels=2)),
        ("input", NeuronConfig(levels=3, signed=True, scales=True, decays=True)),
        ("input", NeuronConfig(separate=True)),
        ("input", NeuronConfig(levels=4, separate=True)),
        ("input", NeuronConfig(levels=3, signed=True, decays=True, separate=True)),
        ("output", NeuronConfig(norm=True)),
        ("output", NeuronConfig(norm=True, levels=2, signed=True, decays=True)),
        ("output", NeuronConfig(decays=True)),
    ],
    ids=str,
)
@torch.no_grad()
def test_neurons_that_are_not_published(spikes: Spikes, neurons: NeuronConfig) -> None:
    """Against the network with rounded matrices, amplitudes folded into them; its first tokens, before a spike differs in most texts."""
    model, tokens = float_network(spikes=spikes, neurons=neurons, v_threshold=0.3), TOKENS.view(8, 10)
    for name, weight in model.named_parameters():
        if name.rpartition(".")[2] in ("decay_logit", "log_threshold", "log_amplitude"):
            weight.normal_(0, 0.4)
    rounded, whole = folded(copy.deepcopy(model)), quantise_text(model, [tokens])
    for part in rounded.modules():
        if isinstance(part, torch.nn.Linear):
            whole_weight, scale = rounded_weight(part.weight, "int8")
            part.weight.copy_(whole_weight.float() * scale.unsqueeze(1))
    expected = rounded(tokens)[0].double()
    found = (whole(tokens)[0] - expected).abs() / expected.std()
    assert float(found[:, :2].median()) < 1e-3
    published = float_network(spikes=spikes, v_threshold=0.3)(tokens)[0]
    assert float((published - expected).abs().median() / expected.std()) > 0.1  # otherwise they would change too little to be compared


def test_everything_is_proven() -> None:
    whole = quantise_text(float_network(), [TOKENS])
    bounds = bound_text(whole)
    assert len(bounds) == 2 * (4 + 3) + 1
    assert all(bound.proven for bound in bounds)
    assert {bound.path for bound in bounds} >= {"halves.0.output", "halves.3.value", "head"}


def test_what_is_not_proven_is_refused() -> None:
    whole = quantise_text(float_network(), [TOKENS])
    list(named_constants(whole.config, whole.constants.numpy()))[1]["scalars"][0] = 2**20
    with pytest.raises(InputError, match=r"halves.1.key: expected sums below 2\^30"):
        DeployedText(whole, is_bytes=False)
    whole = quantise_text(float_network(), [TOKENS])
    list(named_constants(whole.config, whole.constants.numpy()))[2]["rate"][3] = -1
    with pytest.raises(InputError, match=r"halves.2.rate: expected whole numbers from 0"):
        DeployedText(whole, is_bytes=False)
    with pytest.raises(InputError, match="expected 256 tokens for bytes"):
        DeployedText(quantise_text(float_network(), [TOKENS]))


def test_long_rows_get_smaller_inputs() -> None:
    model = float_network(width=160, layers=1)
    with torch.no_grad():
        model.blocks[0].ffn.value.weight.fill_(0.1)
    whole = quantise_text(model, [TOKENS])
    assert int(next(m for i, m in enumerate(named_weights(whole.config, whole.weights.numpy())) if i == 1)["value"].min()) == 127
    assert max(bound.largest for bound in bound_text(whole)) < 2**30


def test_silent_networks() -> None:
    """Matrices of zeros, as at the start of a training, have no range."""
    model = float_network(start="rwkv")
    found = differences(model, quantise_text(model, [TOKENS]))
    assert float(found.max()) < 1e-2


def test_what_has_no_integer_form_is_named() -> None:
    with pytest.raises(InputTypeError, match="got Linear, which has no integer form"):
        quantise_text(torch.nn.Linear(2, 2), [TOKENS])
    with pytest.raises(InputError, match="training text to calibrate with"):
        quantise_text(float_network(), [])
    model = float_network()
    with torch.no_grad():
        model.blocks[1].att.time_mix_k[0, 0, 3] = 5.0
    with pytest.raises(InputError, match=r"blocks.1.att.time_mix_k: expected mixing ratios within 4, got 5"):
        quantise_text(model, [TOKENS])
    model = float_network()
    with torch.no_grad():
        model.head.weight[0, 0] = torch.nan
    with pytest.raises(InputError, match=r"NaN or infinity in head\.weight"):
        quantise_text(model, [TOKENS])
    with pytest.raises(InputError, match="v_threshold: expected less than 128"):
        quantise_text(float_network(spikes="input", v_threshold=200.0), [TOKENS])


def test_calibration_leaves_the_network_as_it_was() -> None:
    model = float_network().train()
    quantise_text(model, [TOKENS])
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())
