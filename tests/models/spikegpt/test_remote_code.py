"""Folders open with transformers alone: the modelling code beside the weights gives what dendrix gives."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

pytest.importorskip("transformers")

from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.models.spikegpt import NeuronConfig, SpikeGPT, SpikeGPTClassifier, SpikeGPTConfig
from dendrix.models.spikegpt.hf import SpikeGPTForCausalLM, SpikeGPTPreTrainedConfig
from dendrix.models.spikegpt.hf_files import load_classifier, save_classifier, save_language_model
from dendrix.models.spikegpt.remote import modeling_spikegpt as remote

OPTIONS: list[dict[str, Any]] = [
    {},
    {"spikes": "input"},
    {"spikes": "none", "binary_embedding": False},
    {"channel_first": True, "layers": 8, "halve_stream": True, "v_threshold": 0.3},
    {"spikes": "input", "neurons": NeuronConfig(levels=3)},
    {"spikes": "input", "neurons": NeuronConfig(levels=4, separate=True)},
    {"neurons": NeuronConfig(levels=2, norm=True), "v_threshold": 0.3},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equations_are_those_of_dendrix(options: dict[str, Any]) -> None:
    ours = SpikeGPTForCausalLM(SpikeGPTPreTrainedConfig.of(SpikeGPTConfig(**({"vocab_size": 40, "width": 24, "layers": 2} | options))))
    with torch.no_grad():
        for name, weight in ours.named_parameters():
            if weight.dim() == 2 and "emb" not in name:
                weight.normal_(0, 0.7)
    ours = ours.double().eval()
    theirs = remote.SpikeGPTForCausalLM(remote.SpikeGPTConfig(**ours.config.to_dict())).double().eval()
    theirs.load_state_dict(ours.state_dict())
    ids, mask = torch.randint(40, (3, 9)), torch.ones(3, 9, dtype=torch.int64)
    mask[0, :4], mask[1, 7:] = 0, 0
    expected, found = ours(ids, attention_mask=mask), theirs(ids, attention_mask=mask)
    assert_close(found.logits * mask[..., None], expected.logits * mask[..., None])
    assert_close(theirs(ids[:, 4:], state=theirs(ids[:, :4]).state).logits, ours(ids).logits[:, 4:])
    for beams in (1, 3):
        made = [model.generate(ids, max_new_tokens=6, do_sample=False, num_beams=beams, pad_token_id=0) for model in (ours, theirs)]
        assert torch.equal(*made)
    for model in (ours, theirs):
        model(ids, labels=ids).loss.backward()
    assert_close(theirs.head.weight.grad, ours.head.weight.grad)
    assert_close(theirs.model.body.blocks[0].ffn.value.weight.grad, ours.model.body.blocks[0].ffn.value.weight.grad)


def test_folders_open_without_dendrix(tmp_path: Path) -> None:
    for name in ("lm", "class"):
        (tmp_path / name).mkdir()
    network = SpikeGPT(SpikeGPTConfig(256, 16, 2)).eval()
    save_language_model(tmp_path / "lm", network, byte_tokenizer())
    classifier = SpikeGPTClassifier(SpikeGPTConfig(256, 16, 2), 3).eval()
    torch.nn.init.normal_(classifier.classifier.weight)
    save_classifier(tmp_path / "class", classifier, ("a", "b", "c"), "mean", byte_tokenizer())
    script = f"""
import sys, torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
ids = AutoTokenizer.from_pretrained({str(tmp_path / "lm")!r})("spike", return_tensors="pt")["input_ids"]
found = [auto.from_pretrained({str(tmp_path)!r} + "/" + name, trust_remote_code=True).eval()(ids).logits.detach()
         for auto, name in ((AutoModelForCausalLM, "lm"), (AutoModelForSequenceClassification, "class"))]
assert "dendrix" not in sys.modules
torch.save(found, {str(tmp_path / "found.pt")!r})
"""
    environment = {"HF_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, capture_output=True, text=True)
    text, kind = torch.load(tmp_path / "found.pt")
    ids = torch.tensor([byte_tokenizer().encode("spike").ids])
    assert_close(text, network(ids)[0])
    assert_close(kind, classifier(ids)[0].mean(1))
    assert load_classifier(tmp_path / "class")[1] == ("a", "b", "c")


@pytest.mark.parametrize("kind", ["SpikeGPTModel", "SpikeGPTForCausalLM", "SpikeGPTForSequenceClassification"])
def test_unknown_arguments_are_refused_as_by_dendrix(kind: str) -> None:
    model = getattr(remote, kind)(remote.SpikeGPTConfig(40, 16, 1)).eval()
    ids = torch.randint(40, (1, 3))
    with pytest.raises(TypeError, match=r"atention_mask: expected an argument of the model.*Did you mean 'attention_mask'"):
        model(ids, atention_mask=torch.ones_like(ids))
    with pytest.raises(TypeError, match="output_hidden_states: expected none"):
        model(ids, output_hidden_states=True)
    assert model(ids, position_ids=None, output_hidden_states=False).keys()


def test_padding_beyond_the_vocabulary_is_masked() -> None:
    config = SpikeGPTPreTrainedConfig(40, 16, 1)
    ours = SpikeGPTForCausalLM(config).eval()
    theirs = remote.SpikeGPTForCausalLM(remote.SpikeGPTConfig(**config.to_dict())).eval()
    theirs.load_state_dict(ours.state_dict())
    ids, mask = torch.tensor([[99, 3, 4], [1, 2, 3]]), torch.tensor([[0, 1, 1], [1, 1, 1]])
    for model in (ours, theirs):
        assert_close(model(ids, attention_mask=mask).logits[0, 1:], model(ids[:1, 1:]).logits[0])
        made = model.generate(ids, attention_mask=mask, max_new_tokens=4, do_sample=False, pad_token_id=99)
        assert torch.equal(made[:1, 1:], model.generate(ids[:1, 1:], max_new_tokens=4, do_sample=False, pad_token_id=99))
    embedded = theirs.get_input_embeddings()(ids[1:])
    new = theirs.generate(inputs_embeds=embedded, max_new_tokens=4, do_sample=False, pad_token_id=99)
    assert torch.equal(new, theirs.generate(ids[1:], max_new_tokens=4, do_sample=False, pad_token_id=99)[:, 3:])
