"""Terms of the loss of language models: their values by hand, their effect, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from dendrix.data.text.tokenizers import byte_tokenizer, learned_tokenizer
from dendrix.errors import InputError
from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.models.spikegpt import NeuronConfig, SpikeNeurons
from dendrix.train.text.losses import LossTerms
from dendrix.train.text.recipe import TextLoss

CONFIG = SpikeGPTConfig(256, width=16, layers=1, spikes="input", dropout=0.0)
CPU = torch.device("cpu")


def read(network: SpikeGPT, settings: TextLoss) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Loss and cross-entropy of a batch, with its logits and tokens."""
    terms = LossTerms(settings, network, byte_tokenizer(), CPU)
    tokens = torch.randint(256, (2, 13), generator=torch.Generator().manual_seed(0))
    logits, _ = network(tokens[:, :-1])
    loss, own = terms(tokens, logits)
    return loss, own, logits, tokens


def test_without_terms_it_is_the_cross_entropy() -> None:
    loss, own, logits, tokens = read(SpikeGPT(CONFIG), TextLoss())
    assert loss is own
    assert_close(loss, functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()))


@pytest.mark.parametrize("neurons", [NeuronConfig(), NeuronConfig(levels=2, signed=True, scales=True)])
def test_the_rate_is_that_of_all_groups_of_neurons(neurons: NeuronConfig) -> None:
    torch.manual_seed(0)
    network, seen = SpikeGPT(replace(CONFIG, neurons=neurons, window=4)), []
    for name, module in network.named_modules():
        if name.split(".")[-2:-1] == ["neurons"]:  # which the gates of local attention are not
            module.register_forward_hook(lambda module, given, y: seen.append(y[0].abs().mean()))
    loss, own, *_ = read(network, TextLoss(rate=0.2, rate_weight=3.0))
    rate = torch.stack(seen).mean()
    assert len(seen) == 4
    assert_close(loss - own, 3.0 * (rate / 0.2 - 1) ** 2)
    loss.backward()
    assert network.blocks[0].ln1.weight.grad.abs().sum() > 0


def test_the_surrogates_change_by_a_factor() -> None:
    """Those of all neurons, gates included, to a sharpness that depends on the share of the training alone."""
    network = SpikeGPT(replace(CONFIG, neurons=NeuronConfig(alpha=1.0), window=4))
    neurons = [module for module in network.modules() if isinstance(module, SpikeNeurons)]
    terms = LossTerms(TextLoss(final_alpha=4.0), network, byte_tokenizer(), CPU)
    for done, alpha in ((0.5, 2.0), (0.0, 1.0), (1.0, 4.0)):
        terms.sharpen(done)
        assert [module.spike.alpha for module in neurons] == [pytest.approx(alpha)] * 5
    tokens = torch.randint(256, (1, 9))
    before = network(tokens)[0]
    LossTerms(TextLoss(), network, byte_tokenizer(), CPU).sharpen(0.3)
    assert {module.spike.alpha for module in neurons} == {4.0}  # without a schedule they are kept
    assert torch.equal(network(tokens)[0], before)


@pytest.mark.parametrize("target", [0.08, 0.4])
def test_a_target_of_the_rate_moves_it(target: float) -> None:
    """In both directions."""
    torch.manual_seed(0)
    network = SpikeGPT(CONFIG)
    adam, terms = torch.optim.Adam(network.parameters(), 1e-2), LossTerms(TextLoss(rate=target), network, byte_tokenizer(), CPU)
    tokens, seen = torch.randint(256, (4, 33)), []
    for _ in range(40):
        adam.zero_grad()
        loss, own = terms(tokens, network(tokens[:, :-1])[0])
        (loss - own).backward()
        adam.step()
        seen.append((loss - own).item())
    assert seen[0] > 0.1
    assert seen[-1] < 0.25 * seen[0]


def test_a_teacher_is_followed(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from dendrix.models.spikegpt.hf_files import save_language_model

    teacher = SpikeGPT(replace(CONFIG, spikes="none")).eval()
    save_language_model(tmp_path, teacher, byte_tokenizer())
    loss, own, logits, tokens = read(SpikeGPT(CONFIG), TextLoss(teacher=tmp_path, teacher_weight=0.25))
    taught = teacher(tokens[:, :-1])[0].softmax(-1)
    assert_close(loss, 0.75 * own - 0.25 * (taught * logits.log_softmax(-1)).sum(-1).mean())


def shuffled(tokenizer: Any) -> Any:
    """The same tokens with other numbers."""
    content = json.loads(tokenizer.to_str())
    vocabulary = content["model"]["vocab"]
    content["model"]["vocab"] = dict(zip(vocabulary, reversed(vocabulary.values()), strict=True))
    return type(tokenizer).from_str(json.dumps(content))


def test_the_refusals(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"loss\.rate: expected none for a network without spikes"):
        LossTerms(TextLoss(rate=0.1), SpikeGPT(replace(CONFIG, spikes="none")), byte_tokenizer(), CPU)
    with pytest.raises(InputError, match=r"loss\.final_alpha: expected none for a network without spikes, got 4"):
        LossTerms(TextLoss(final_alpha=4.0), SpikeGPT(replace(CONFIG, spikes="none")), byte_tokenizer(), CPU)
    for name, of in (("rate_weight", "rate"), ("teacher_weight", "teacher")):
        with pytest.raises(
            InputError, match=rf"loss\.{name}: expected none without loss\.{of}, got 0\.25\. Give loss\.{of} too, or leave it"
        ):
            TextLoss(**{name: 0.25})
    with pytest.raises(InputError, match=r"final_alpha: expected a number in \(0, inf\)"):
        TextLoss(final_alpha=0.0)
    for rate in (0.0, 1.0):
        with pytest.raises(InputError, match=r"rate: expected a number in \(0, 1\)"):
            TextLoss(rate=rate)
    pytest.importorskip("transformers")
    from dendrix.models.spikegpt.hf_files import save_language_model

    with pytest.raises(FileNotFoundError, match="expected a language model"):
        LossTerms(TextLoss(teacher=tmp_path), SpikeGPT(CONFIG), byte_tokenizer(), CPU)
    save_language_model(tmp_path, SpikeGPT(CONFIG), byte_tokenizer())
    texts = ["the sun rises over the sea and sets"] * 9
    for tokenizer in (learned_tokenizer(texts, 260), shuffled(byte_tokenizer())):  # others, and as many others
        with pytest.raises(InputError, match=r"loss\.teacher: expected a network with the same \d+ tokens, got one with 256"):
            LossTerms(TextLoss(teacher=tmp_path), SpikeGPT(CONFIG), tokenizer, CPU)
