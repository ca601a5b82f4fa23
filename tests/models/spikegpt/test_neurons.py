"""Neurons of SpikeGPT: each variant against equations, a trace worked by hand, or another form of the same network."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from dendrix.core import use_kernels
from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.deploy import IntegerSpikeGPT, quantise_text
from dendrix.errors import InputError, KernelError
from dendrix.generate import Decoder
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt import NeuronConfig, SpikeNeurons, deployable, unfolded
from dendrix.models.spikegpt.blocks import Spikes
from dendrix.neurons.lif import LIFState

SMALL = SpikeGPTConfig(256, width=16, layers=2, spikes="input", dropout=0.0)
VARIANTS = [
    NeuronConfig(signed=True),
    NeuronConfig(levels=3),
    NeuronConfig(scales=True),
    NeuronConfig(decays=True),
    NeuronConfig(separate=True),
    NeuronConfig(levels=2, signed=True, scales=True, decays=True, separate=True),
]


def network(neurons: NeuronConfig, **options: Any) -> SpikeGPT:
    """One whose trained thresholds, amplitudes and decays differ between channels."""
    torch.manual_seed(1)
    made = SpikeGPT(replace(SMALL, neurons=neurons, **options)).eval()
    for name, parameter in made.named_parameters():
        if ".neurons." in name and ".norm." not in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return made


def trace(x: list[float], config: NeuronConfig) -> list[float]:
    spikes, _ = SpikeNeurons(1, 1.0, config)(torch.tensor(x).view(1, -1, 1))
    return spikes.flatten().tolist()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # h is 1.5, which fires and resets, then -1.5; then it goes on from -1.5 to -0.25 and 2.875,
        # or from a reset by a negative spike to 0.5 and 3.25
        (NeuronConfig(), [1, 0, 0, 1]),
        (NeuronConfig(signed=True), [1, -1, 0, 1]),
        (NeuronConfig(levels=2), [1, 0, 0, 2]),
        (NeuronConfig(levels=2, signed=True), [1, -1, 0, 2]),
    ],
)
def test_traces_worked_by_hand(config: NeuronConfig, expected: list[float]) -> None:
    assert trace([3.0, -3.0, 1.0, 6.0], config) == expected


def test_one_level_without_sign_is_the_published_neuron() -> None:
    """Also in its gradients, which pass through the reset."""
    x = torch.randn(3, 20, 8, dtype=torch.double).requires_grad_()
    weights = torch.randn(3, 20, 8, dtype=torch.double)
    (published,) = torch.autograd.grad((SpikeNeurons(8).double()(x)[0] * weights).sum(), x)
    several = SpikeNeurons(8, config=NeuronConfig(levels=9)).double()
    low = x.detach().clamp(max=1.9).requires_grad_()  # never reaches the second level, whose surrogate is nevertheless felt
    assert torch.equal(several(low)[0], SpikeNeurons(8).double()(low)[0])
    (felt,) = torch.autograd.grad((several(x)[0] * weights).sum(), x)
    assert published.abs().sum() > 0
    assert not torch.equal(felt, published)


@torch.no_grad()
def test_separate_neurons_without_a_shift_are_shared_ones() -> None:
    """If all shares take this token only; otherwise, the spikes are of the mixture."""
    tokens = torch.randint(256, (2, 30))
    shared, separate = network(NeuronConfig()), network(NeuronConfig(separate=True))
    for name, parameter in shared.named_parameters():
        if "time_mix" in name:
            parameter.fill_(1)
    separate.load_state_dict(shared.state_dict())
    logits, state = separate(tokens)
    assert torch.equal(logits, shared(tokens)[0])
    assert [len(half.membranes) for block in state for half in block] == [4, 3] * 2
    with pytest.raises(InputError, match=r"expected 2 groups of neurons in each half, got 4\. Is it of another model"):
        shared(tokens, state)
    mix = separate.blocks[0].ffn
    mix.time_mix_r.fill_(0.25)
    x = torch.randn(1, 3, 16)
    (to_key, to_gate), last, _ = mix.mixtures(x, None, None, mix.time_mix_k, mix.time_mix_r)
    earlier = torch.nn.functional.pad(x, (0, 0, 1, 0))[:, :-1]
    assert torch.equal(to_key, SpikeNeurons(16)(x)[0])
    assert torch.equal(to_gate, SpikeNeurons(16)(0.25 * x + 0.75 * earlier)[0])
    assert torch.equal(last, x[:, -1])


@pytest.mark.parametrize("config", [one for one in VARIANTS if one.signed or one.levels > 1])
def test_the_kernel_of_spike_counts_is_the_loop(config: NeuronConfig) -> None:
    """Spikes and membranes to the last bit, gradients up to rounding; several tiles, with invalid steps and membranes from before."""
    torch.manual_seed(3)
    neurons = SpikeNeurons(2051, 0.4, config)
    for parameter in neurons.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x, v = (2 * torch.randn(2, 21, 2051)).requires_grad_(), torch.randn(2, 2051, requires_grad=True)
    valid, weights, results = torch.rand(2, 21) > 0.2, torch.randn(2, 21, 2051), []
    for mode in ("required", "reference"):
        with use_kernels(mode):
            y, state = neurons(x, LIFState(v), valid)
        gradients = torch.autograd.grad((y * weights).sum() + state.v.sum(), [x, v, *neurons.parameters()])
        results.append((y, state.v, gradients))
    (ours, end, gradients), (loop, last, expected) = results
    assert torch.equal(ours, loop)
    assert torch.equal(end, last)
    assert {*neurons.counts(ours).unique().round().tolist()} == set(range(config.levels + 1))
    for found, exact in zip(gradients, expected, strict=True):
        assert (found - exact).abs().max() <= 1e-5 * exact.abs().max()


def test_many_levels_have_no_kernel() -> None:
    neurons = SpikeNeurons(64, config=NeuronConfig(levels=9))
    with pytest.raises(KernelError, match="9 levels of spikes are more than 8"), use_kernels("required"):
        neurons(torch.randn(4, 40, 64))


def test_the_surrogate_changes_gradients_and_not_spikes() -> None:
    x = torch.randn(2, 12, 8).requires_grad_()
    sharp, wide = (SpikeNeurons(8, config=NeuronConfig(alpha=alpha))(x)[0] for alpha in (8.0, 0.5))
    assert torch.equal(sharp, wide)
    assert not torch.equal(*(torch.autograd.grad(y.sum(), x)[0] for y in (sharp, wide)))


def test_the_default_is_the_published_network() -> None:
    """No parameter more, and none of another name."""
    torch.manual_seed(0)
    plain = SpikeGPT(SMALL)
    assert not any("neurons" in name for name in plain.state_dict())
    assert SMALL.neurons.changed == {}
    assert NeuronConfig(alpha=4.0).changed == {}  # of the surrogate alone


@torch.no_grad()
def test_thresholds_and_amplitudes_fold_into_the_published_network() -> None:
    scaled, tokens = network(NeuronConfig(scales=True, alpha=3.0)), torch.randint(256, (2, 30))
    plain = deployable(scaled, "a test")
    assert plain.config == SMALL
    assert not torch.equal(plain.head.weight, torch.zeros(1))
    assert_close(plain(tokens)[0], scaled(tokens)[0], atol=1e-4, rtol=1e-4)
    assert_close(Decoder(scaled)(tokens)[0], scaled(tokens)[0], atol=1e-4, rtol=1e-4)
    assert deployable(plain, "a test") is plain
    folded_too = network(NeuronConfig(scales=True), channel_first=True)
    assert_close(deployable(folded_too, "a test")(tokens)[0], folded_too(tokens)[0], atol=1e-4, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("config", [NeuronConfig(levels=3), NeuronConfig(levels=2, signed=True, scales=True)])
def test_spike_counts_unfold_into_products_with_spikes(config: NeuronConfig) -> None:
    counted, tokens = network(config), torch.randint(256, (2, 30))
    apart = unfolded(counted)
    assert_close(apart(tokens)[0], counted(tokens)[0], atol=1e-5, rtol=1e-4)
    inputs: list[torch.Tensor] = []
    for name, module in apart.named_modules():
        if name.endswith(".product"):
            module.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    apart(tokens)
    assert inputs
    assert all(len(x[..., c].abs().unique()) <= 2 for x in inputs for c in range(x.shape[-1]))


@pytest.mark.parametrize("config", VARIANTS)
def test_a_run_keeps_the_neurons(config: NeuronConfig, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from dendrix.models.spikegpt.hf_files import load_network, save_language_model

    made, tokens = network(config), torch.randint(256, (1, 12))
    save_language_model(tmp_path, made, byte_tokenizer())
    again, _ = load_network(tmp_path)
    assert again.config == made.config
    assert torch.equal(again(tokens)[0], made(tokens)[0])


@pytest.mark.parametrize("field", ["signed", "scales", "decays"])
def test_folders_with_other_neurons_are_refused_by_their_own_code(field: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from dendrix.models.spikegpt.hf_files import save_language_model
    from dendrix.models.spikegpt.remote.modeling_spikegpt import SpikeGPTConfig as RemoteConfig

    save_language_model(tmp_path, network(NeuronConfig(**{field: True})), byte_tokenizer())
    with pytest.raises(ValueError, match=rf"neurons: expected no more than levels, norm, separate, got {field}=True\. Install"):
        RemoteConfig.from_pretrained(tmp_path)
    save_language_model(tmp_path, network(NeuronConfig()), byte_tokenizer())
    assert RemoteConfig.from_pretrained(tmp_path).hidden_size == SMALL.width


@pytest.mark.parametrize("config", [one for one in VARIANTS if one != NeuronConfig(scales=True)])
def test_what_knows_the_published_neurons_only_refuses_others(config: NeuronConfig) -> None:
    made = network(config)
    with pytest.raises(InputError, match=r"neurons: expected the published ones for .*, got \w+=.*\. Call the network itself"):
        deployable(made, "a test")


@pytest.mark.parametrize(("spikes", "separate"), [("output", False), ("input", True)])
def test_scales_behind_a_block_or_of_separate_neurons_do_not_fold(spikes: Spikes, separate: bool) -> None:
    made = network(NeuronConfig(scales=True, separate=separate), spikes=spikes)
    integer = lambda: quantise_text(made, [torch.randint(256, (1, 8))]), lambda: IntegerSpikeGPT(made.config)
    for refused in (lambda: deployable(made, "a test"), *integer):
        with pytest.raises(InputError, match=r"got (scales|separate)=True"):
            refused()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(spikes="none", neurons=NeuronConfig(signed=True)), r'spikes="none" has no neurons'),
        (dict(spikes="input", neurons=NeuronConfig(norm=True)), r'norm: expected False with spikes="input"'),
        (dict(neurons="lif"), r"neurons: expected"),
    ],
)
def test_configurations_without_a_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError if "lif" in options.values() else InputError, match=message):
        SpikeGPTConfig(256, **options)


@pytest.mark.parametrize("levels", [0, 257, 10**12])
def test_spike_counts_have_a_limit(levels: int) -> None:
    """The levels of a neuron are tensors of their own, so a large number takes all memory."""
    with pytest.raises(InputError, match=r"levels: expected a whole number in \[1, 256\]"):
        NeuronConfig(levels=levels)


def test_unfolding_needs_spikes_before_products() -> None:
    with pytest.raises(InputError, match=r'spikes: expected "input"'):
        unfolded(SpikeGPT(replace(SMALL, spikes="output")))


def test_unknown_fields_in_a_folder_are_refused() -> None:
    pytest.importorskip("transformers")
    from dendrix.models.spikegpt.hf_config import SpikeGPTPreTrainedConfig

    with pytest.raises(InputError, match=r"neurons: expected the fields alpha, .*'sined'.*signed"):
        SpikeGPTPreTrainedConfig(256, 16, 1, neurons={"sined": True})
