"""Folders of language models: written, read again, by transformers too, and refused where a file is damaged."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

transformers = pytest.importorskip("transformers")

from dendrix.data.text.tokenizers import byte_tokenizer, encode, is_bytes  # noqa: E402
from dendrix.models.gpt2 import GPT2Config  # noqa: E402
from dendrix.models.spikegpt.classifier import SpikeGPTClassifier  # noqa: E402
from dendrix.models.spikegpt.hf_files import end_tokens, load_language_model, save_classifier, save_language_model  # noqa: E402
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig  # noqa: E402
from dendrix.models.spikegpt.released import load_released  # noqa: E402


def test_a_folder_of_a_run(tmp_path: Path) -> None:
    network, tokenizer = SpikeGPT(SpikeGPTConfig(256, 16, 2)).eval(), byte_tokenizer()
    save_language_model(tmp_path, network, tokenizer)
    model, again = load_language_model(tmp_path)
    tokens = torch.tensor([again.encode("Hé").ids])
    assert torch.equal(model(tokens).logits, network(tokens)[0])
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert theirs("Hé")["input_ids"] == list("Hé".encode())
    before = (tmp_path / "config.json").read_text()
    for name, value in (("hidden_size", 20_000_000), ("vocab_size", 10**9), ("num_hidden_layers", 10**6)):
        described = json.loads(before)
        assert name in described
        (tmp_path / "config.json").write_text(json.dumps({**described, name: value}))
        with pytest.raises(ValueError, match="got a far larger one"):
            load_language_model(tmp_path)
    (tmp_path / "config.json").write_text(before)
    weights = load_file(tmp_path / "model.safetensors")
    weights["extra"] = weights.pop("head.weight")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"missing head\.weight; unexpected extra"):
        load_language_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(ValueError, match="cannot be read"):
        load_language_model(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no tokenizer\.json"):
        load_language_model(tmp_path)
    assert (tmp_path / "config.json").read_text() == before


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_language_model(tmp_path, SpikeGPT(SpikeGPTConfig(256, 16, 2)).eval(), byte_tokenizer())
    return tmp_path


def test_a_folder_in_shards(folder: Path) -> None:
    model, _ = load_language_model(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="16KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    again, _ = load_language_model(folder)
    tokens = torch.randint(0, 256, (1, 9))
    assert torch.equal(again(tokens).logits, model(tokens).logits)
    next(folder.glob("model-*.safetensors")).unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        load_language_model(folder)


@pytest.mark.parametrize("content", ["null", "[]", "3", "[" * 100_000])
def test_a_generation_config_that_is_none(folder: Path, content: str) -> None:
    (folder / "generation_config.json").write_text(content)
    with pytest.raises(ValueError, match=r"generation_config\.json: expected"):
        load_language_model(folder)


@pytest.mark.parametrize("sharded", [False, True])
def test_complex_weights_are_refused(folder: Path, sharded: bool) -> None:
    if sharded:
        model, _ = load_language_model(folder)
        (folder / "model.safetensors").unlink()
        model.save_pretrained(folder, max_shard_size="16KB")
    path = sorted(folder.glob("*.safetensors"))[-1]
    weights = load_file(path)
    name = sorted(weights)[0]
    save_file(weights | {name: weights[name] * 1j}, path, {"format": "pt"})
    with pytest.raises(ValueError, match=rf"expected real weights, got C64 in {name}"):
        load_language_model(folder)


def test_damaged_checkpoints_of_the_released_code_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"emb.weight": torch.zeros(4, 3)}, path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 37):
        path.write_bytes(whole[:place] + bytes(byte ^ 0xFF for byte in whole[place : place + 9]) + whole[place + 9 :])
        with pytest.raises(ValueError, match=r"a\.pth: expected|weights: expected") as error:
            load_released(path)
        assert "\n" not in str(error.value)


def test_special_tokens_of_bytes_are_reserved_and_match_no_text(folder: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (None, 256, 257)
    text = "<|endoftext|>Ā\x00<|padding|>"
    assert tokenizer(text).input_ids == list(text.encode())
    assert load_language_model(folder)[1].get_vocab_size() == 256
    config = json.loads((folder / "config.json").read_text())
    assert [config[f"{name}_token_id"] for name in ("pad", "bos", "eos")] == [None] * 3
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer.padding_side = "left"
    together = model.generate(**tokenizer(["spike", "a"], return_tensors="pt", padding=True), max_new_tokens=3, do_sample=False)
    alone = model.generate(**tokenizer("a", return_tensors="pt"), max_new_tokens=3, do_sample=False)
    assert together[1, -4:].tolist() == alone[0].tolist()


def test_a_tokenizer_saved_again_by_transformers_is_the_same(folder: Path) -> None:
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    assert "<|padding|>" in (folder / "tokenizer.json").read_text()
    again = load_language_model(folder)[1]
    assert is_bytes(again)
    text = "<|endoftext|>Ā\x00<|padding|>"
    assert encode(again, [text.encode()]).tolist() == list(text.encode())


def test_special_tokens_of_a_tokenizer_are_named(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|padding|>"])
    save_language_model(tmp_path, SpikeGPT(SpikeGPTConfig(258, 16, 1)).eval(), tokenizer)
    named = transformers.AutoTokenizer.from_pretrained(tmp_path)
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    for found in (named, config):
        assert (found.bos_token_id, found.eos_token_id, found.pad_token_id) == (256, 256, 257)
    assert named("a<|endoftext|>").input_ids == [97, 256]
    model, _ = load_language_model(tmp_path)
    assert end_tokens(model) == (256,)


def test_a_baseline_gets_no_tokens_that_it_could_not_read(tmp_path: Path) -> None:
    save_language_model(tmp_path, GPT2Config(256, 16, 1, 2, 32).build().eval(), byte_tokenizer())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (None, None)


def test_a_classifier_is_padded_beyond_its_vocabulary(tmp_path: Path) -> None:
    classifier = SpikeGPTClassifier(SpikeGPTConfig(256, 16, 2), 2).eval()
    torch.nn.init.normal_(classifier.classifier.weight)
    save_classifier(tmp_path, classifier, ("a", "b"), "last", byte_tokenizer())
    classify = transformers.pipeline("text-classification", str(tmp_path))
    texts = ["Ā longer text", "é"]
    together = classify(texts, batch_size=2)
    for text, found in zip(texts, together, strict=True):
        assert found["score"] == pytest.approx(classify(text)[0]["score"], abs=1e-6)
