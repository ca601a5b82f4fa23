"""SpikeGPT in transformers: Auto classes, files, generation with the state carried, padding, training, tokens."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

transformers = pytest.importorskip("transformers")
from safetensors.torch import load_file, save_file  # noqa: E402

from dendrix.models.spikegpt.hf import (  # noqa: E402
    SpikeGPTForCausalLM,
    SpikeGPTForSequenceClassification,
    SpikeGPTForTokenClassification,
    SpikeGPTModel,
    SpikeGPTPreTrainedConfig,
)
from dendrix.models.spikegpt.network import SpikeGPT, SpikeGPTConfig  # noqa: E402


def lively(**options: Any) -> SpikeGPTForCausalLM:
    """A model whose neurons fire and whose logits are far apart, so that rounding decides nothing."""
    model = SpikeGPTForCausalLM(SpikeGPTPreTrainedConfig(50, 32, 3, **options)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "emb" not in name:
                weight.mul_(4)
    return model.double()


@pytest.mark.parametrize("spikes", ["output", "input", "none"])
@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"do_sample": True, "top_p": 0.9, "temperature": 1.3}])
def test_generates_the_same_with_and_without_the_state(spikes: str, options: dict[str, Any]) -> None:
    model = lively(spikes=spikes)
    prompt = torch.randint(0, 50, (2, 7))
    found = []
    for use_cache in (True, False):
        torch.manual_seed(4)
        found.append(model.generate(prompt, max_new_tokens=12, use_cache=use_cache, pad_token_id=0, **options))
    assert torch.equal(*found)
    assert found[0].shape == (2, 19)


def test_padded_rows_generate_what_they_generate_alone() -> None:
    model = lively()
    prompts = [torch.randint(1, 50, (1, n)) for n in (4, 7, 2)]
    padded = torch.zeros(3, 7, dtype=torch.long)
    mask = torch.zeros(3, 7, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        padded[row, 7 - prompt.shape[1] :] = prompt
        mask[row, 7 - prompt.shape[1] :] = 1
    together = model.generate(padded, attention_mask=mask, max_new_tokens=9, do_sample=False, pad_token_id=0)
    for row, prompt in enumerate(prompts):
        alone = model.generate(prompt, max_new_tokens=9, do_sample=False, pad_token_id=0)
        assert torch.equal(together[row, 7:], alone[0, prompt.shape[1] :])


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_a_classifier_does_not_see_padding(pooling: str) -> None:
    model = SpikeGPTForSequenceClassification(SpikeGPTPreTrainedConfig(50, 32, 2, pooling=pooling, num_labels=3)).eval()
    tokens = torch.randint(0, 50, (1, 5))
    alone = model(tokens).logits
    for side in (0, 4):
        padded = torch.zeros(1, 9, dtype=torch.long)
        mask = torch.zeros(1, 9, dtype=torch.long)
        padded[:, side : side + 5], mask[:, side : side + 5] = tokens, 1
        assert_close(model(padded, mask).logits, alone)
    assert model(tokens, labels=torch.tensor([2])).loss.item() > 0


def test_saves_and_loads(tmp_path: Path) -> None:
    model = lively(start="rwkv", v_threshold=0.5).float()
    model.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "generation_config.json", "model.safetensors"]
    tokens = torch.randint(0, 50, (2, 6))
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(again) is SpikeGPTForCausalLM
    assert torch.equal(again(tokens).logits, model(tokens).logits)
    body = transformers.AutoModel.from_pretrained(tmp_path)
    assert type(body) is SpikeGPTModel
    assert torch.equal(body(tokens).last_hidden_state, model.model(tokens).last_hidden_state)
    classifier = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=4)
    assert torch.equal(classifier.model.body.emb.weight, model.model.body.emb.weight)
    assert classifier.classifier.weight.isfinite().all()
    assert 0 < classifier.classifier.weight.abs().max() <= 32**-0.5
    assert transformers.AutoConfig.from_pretrained(tmp_path).network_config() == model.config.network_config()


def test_is_the_network_of_our_own() -> None:
    network = SpikeGPT(SpikeGPTConfig(50, 32, 2)).eval()
    tokens = torch.randint(0, 50, (2, 6))
    assert torch.equal(SpikeGPTForCausalLM.of(network)(tokens).logits, network(tokens)[0])


def test_parts_that_a_checkpoint_lacks_have_weights(tmp_path: Path) -> None:
    """They are made without any: what the memory held before would remain."""
    SpikeGPTForCausalLM.of(SpikeGPT(SpikeGPTConfig(20, width=16, layers=1, spikes="input"))).save_pretrained(tmp_path)
    config = SpikeGPTPreTrainedConfig.from_pretrained(tmp_path, window=4, neurons={"scales": True, "decays": True})
    for _ in range(3):
        found = SpikeGPTForCausalLM.from_pretrained(tmp_path, config=config).state_dict()
        added = [
            value for name, value in found.items() if name.rpartition(".")[2] in ("age", "log_threshold", "log_amplitude", "decay_logit")
        ]
        assert len(added) == 13
        assert not any(value.any() for value in added)


@pytest.mark.parametrize("start", ["pytorch", "rwkv"])
def test_what_a_checkpoint_lacks_is_named_and_begins_as_in_a_new_network(tmp_path: Path, start: str) -> None:
    """What depends on the data of the decay begins at zero; drives of gates and of norms, and head, are those of the scheme."""
    SpikeGPTForCausalLM.of(network := SpikeGPT(SpikeGPTConfig(20, width=16, layers=2, spikes="input", start=start))).save_pretrained(
        tmp_path
    )
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    for name in (
        "head.weight",
        "model.body.blocks.1.att.time_decay",
        "model.body.blocks.0.ffn.norm.weight",
        "model.body.blocks.1.att.output.weight",
    ):
        del weights[name]
    save_file(weights, file, {"format": "pt"})
    config = SpikeGPTPreTrainedConfig.from_pretrained(tmp_path, decay_rank=4, window=4)
    model, report = SpikeGPTForCausalLM.from_pretrained(tmp_path, config=config, output_loading_info=True)
    assert "model.body.blocks.0.att.decay_up.weight" in report["missing_keys"]
    assert len(report["missing_keys"]) == 4 + 2 * 7
    found, initial = model.state_dict(), SpikeGPTForCausalLM.of(SpikeGPT(config.network_config())).state_dict()
    for name in report["missing_keys"]:
        assert_close(found[name].std(), initial[name].std(), rtol=0.5, atol=0)  # equal where nothing is drawn
        assert_close(found[name].mean(), initial[name].mean(), rtol=1e-6, atol=0.2)
    for name in ("decay_up.weight", "local.current.bias", "local.age", "time_decay"):
        assert_close(found[f"model.body.blocks.1.att.{name}"], initial[f"model.body.blocks.1.att.{name}"])
    assert bool(found["model.body.blocks.1.att.output.weight"].any()) is (start == "pytorch")
    assert torch.equal(found["model.body.blocks.1.att.time_first"], network.blocks[1].att.time_first)
    assert torch.equal(found["model.body.emb.weight"], network.emb.weight)


def test_a_new_model_begins_as_the_network_does() -> None:
    model = SpikeGPTForCausalLM(SpikeGPTPreTrainedConfig(50, 32, 2, start="rwkv"))
    body = model.model.body
    assert not body.blocks[1].att.key.weight.any()
    assert_close(body.blocks[0].att.time_decay[[0, -1]], torch.tensor([-5.0, 3.0]))
    assert_close(model.head.weight.T @ model.head.weight, torch.eye(32) * 0.25 * 50 / 32)


def test_trainer_takes_a_step(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    model = SpikeGPTForCausalLM(SpikeGPTPreTrainedConfig(50, 32, 2))
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    data = [{"input_ids": tokens, "labels": tokens} for tokens in torch.randint(0, 50, (8, 12))]
    arguments = transformers.TrainingArguments(tmp_path, max_steps=1, per_device_train_batch_size=4, report_to=[], use_cpu=True)
    result = transformers.Trainer(model, arguments, train_dataset=data).train()
    assert result.global_step == 1
    assert any(not torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_gradient_checkpointing_changes_no_gradient() -> None:
    tokens = torch.randint(0, 50, (2, 9))
    model = SpikeGPTForCausalLM(SpikeGPTPreTrainedConfig(50, 32, 2, dropout=0.0)).train()
    gradients = []
    for enable in (model.activation_checkpointing_disable, model.activation_checkpointing_enable):
        enable()
        model.zero_grad()
        model(tokens, labels=tokens).loss.backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    assert all(block.gradient_checkpointing for block in model.model.body.blocks)
    assert_close(gradients[1], gradients[0])


def test_bad_input() -> None:
    model = lively()
    ids = torch.tensor([[1, 2]])
    with pytest.raises(ValueError, match="expected either tokens or inputs_embeds, got neither"):
        model()
    with pytest.raises(ValueError, match="expected either tokens or inputs_embeds, got both"):
        model(ids, inputs_embeds=torch.zeros(1, 3, 32))
    with pytest.raises(TypeError, match=r"atention_mask: expected an argument of the model.*Did you mean 'attention_mask'"):
        model(ids, atention_mask=torch.ones(1, 2))
    with pytest.raises(TypeError, match="lables: expected an argument"):
        SpikeGPTForSequenceClassification(SpikeGPTPreTrainedConfig(50, 32, 1))(ids, lables=torch.tensor([1]))
    with pytest.raises(ValueError, match="top_pp"):
        model.generate(ids, max_new_tokens=2, top_pp=0.3)
    with pytest.raises(ValueError, match="expected 0 to 49, got 50"):
        model(torch.tensor([[50]]))
    with pytest.raises(ValueError, match="pooling"):
        SpikeGPTPreTrainedConfig(50, pooling="max")
    with pytest.raises(ValueError, match="tie_word_embeddings"):
        SpikeGPTPreTrainedConfig(50, tie_word_embeddings=True)
    with pytest.raises(ValueError, match="spikes: expected one of"):
        SpikeGPTPreTrainedConfig(50, spikes="some")


@pytest.mark.parametrize("options", [{}, {"use_cache": False}, {"num_beams": 3}, {"num_beams": 4, "num_return_sequences": 2}])
@pytest.mark.parametrize("read", [1, 5, 9])
def test_generation_reads_all_that_a_given_state_has_not_seen(options: dict[str, Any], read: int) -> None:
    model = lively()
    ids = torch.randint(0, 50, (2, 10))
    state = model(ids[:, :read]).state
    found = model.generate(ids[:, read:], state=state, max_new_tokens=8, do_sample=False, pad_token_id=0, **options)
    expected = model.generate(ids, max_new_tokens=8, do_sample=False, pad_token_id=0, **options)
    assert torch.equal(found, expected[:, read:])


@pytest.mark.parametrize("options", [{}, {"do_sample": True}])
def test_generation_goes_on_from_what_it_returned(options: dict[str, Any]) -> None:
    model = lively()
    kept = dict(return_dict_in_generate=True, pad_token_id=0) | options
    first = model.generate(torch.randint(0, 50, (2, 5)), max_new_tokens=6, **kept)
    assert first.past_key_values.get_seq_length() == 10
    asked = torch.cat([first.sequences, torch.randint(0, 50, (2, 3))], 1)
    torch.manual_seed(3)
    further = model.generate(asked, past_key_values=first.past_key_values, max_new_tokens=4, **kept)
    torch.manual_seed(3)
    afresh = model.generate(asked, max_new_tokens=4, **kept)
    assert torch.equal(further.sequences, afresh.sequences)
    assert further.past_key_values.seen == afresh.past_key_values.seen == 17
    with pytest.raises(ValueError, match="past_key_values: expected what generate returned, got tuple"):
        model.generate(asked, past_key_values=first.past_key_values.state)
    for call in (model, model.generate):
        with pytest.raises(ValueError, match="state: expected none beside past_key_values"):
            call(asked, past_key_values=first.past_key_values, state=first.past_key_values.state)
    assert model.generate(asked, num_beams=2, max_new_tokens=4, **kept).past_key_values is None
    with pytest.raises(ValueError, match=r"expected more than the 10 tokens that past_key_values has read, got 10"):
        model.generate(asked[:, :10], past_key_values=first.past_key_values)


def test_embeddings_instead_of_tokens() -> None:
    model, ids = lively(), torch.randint(0, 50, (2, 6))
    embedded = model.get_input_embeddings()(ids)
    assert torch.equal(model(inputs_embeds=embedded).logits, model(ids).logits)
    for use_cache in (True, False):
        made = model.generate(inputs_embeds=embedded, max_new_tokens=5, do_sample=False, pad_token_id=0, use_cache=use_cache)
        assert torch.equal(made, model.generate(ids, max_new_tokens=5, do_sample=False, pad_token_id=0)[:, 6:])


def test_logits_of_chosen_places() -> None:
    model, ids = lively(), torch.randint(0, 50, (2, 6))
    whole = model(ids).logits
    assert torch.equal(model(ids, logits_to_keep=2).logits, whole[:, -2:])
    assert torch.equal(model(ids, logits_to_keep=torch.tensor([0, 4])).logits, whole[:, [0, 4]])


def test_every_token_has_a_class(tmp_path: Path) -> None:
    model = SpikeGPTForTokenClassification(SpikeGPTPreTrainedConfig(50, 32, 2, num_labels=5)).eval()
    ids = torch.randint(0, 50, (2, 6))
    labels = torch.randint(0, 5, (2, 6))
    labels[0, :3] = -100
    found = model(ids, labels=labels)
    assert found.logits.shape == (2, 6, 5)
    chosen = labels != -100
    assert_close(found.loss, torch.nn.functional.cross_entropy(found.logits[chosen], labels[chosen]))
    model.save_pretrained(tmp_path)
    again = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    assert torch.equal(again(ids).logits, found.logits)


def test_guidance_is_refused() -> None:
    model = lively()
    ids = torch.randint(0, 50, (1, 4))
    with pytest.raises(ValueError, match=r"guidance_scale: expected none, got 3\.0"):
        model.generate(ids, max_new_tokens=2, guidance_scale=3.0)
    model.generate(ids, max_new_tokens=2, guidance_scale=1.0)


@pytest.mark.parametrize("cls", [SpikeGPTForCausalLM, SpikeGPTForSequenceClassification, SpikeGPTModel])
def test_hidden_states_are_returned_when_asked_for(cls: Any) -> None:
    model = cls(SpikeGPTPreTrainedConfig(50, 32, 3)).eval()
    ids = torch.randint(0, 50, (2, 6))
    assert model(ids).hidden_states is None
    hidden = model(ids, output_hidden_states=True).hidden_states
    assert [tuple(part.shape) for part in hidden] == [(2, 6, 32)] * 4
    body = model.body if cls is SpikeGPTModel else model.model.body
    assert_close(hidden[-1], body(ids)[0])
    model.config.output_hidden_states = True
    assert len(model(ids).hidden_states) == 4


def test_hidden_states_of_generation() -> None:
    made = lively().generate(
        torch.randint(0, 50, (1, 4)), max_new_tokens=3, output_hidden_states=True, return_dict_in_generate=True, pad_token_id=0
    )
    assert [step[-1].shape[1] for step in made.hidden_states] == [4, 1, 1]


@pytest.mark.parametrize("size", [70, 30])
def test_resized_embeddings_work(size: int, tmp_path: Path) -> None:
    model = SpikeGPTForCausalLM(SpikeGPTPreTrainedConfig(50, 32, 2)).eval()
    model.resize_token_embeddings(size, mean_resizing=False)
    ids = torch.tensor([[size - 1, 1]])
    assert model(ids).logits.shape == (1, 2, size)
    assert model.generate(ids, max_new_tokens=3, pad_token_id=0).shape[1] == 5
    with pytest.raises(ValueError, match=f"expected 0 to {size - 1}, got {size} to {size}"):
        model(torch.tensor([[size]]))
    model.save_pretrained(tmp_path)
    again = SpikeGPTForCausalLM.from_pretrained(tmp_path).eval()
    assert_close(again(ids).logits, model(ids).logits)


def test_ids_of_special_tokens(tmp_path: Path) -> None:
    config = SpikeGPTPreTrainedConfig(50, 32, 2)
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (None, None, None)
    model = lively(pad_token_id=0, bos_token_id=1, eos_token_id=list(range(2, 50)))
    assert model.generate(torch.tensor([[5]]), max_new_tokens=9, do_sample=False).shape[1] < 9
    model.save_pretrained(tmp_path)
    again = SpikeGPTForCausalLM.from_pretrained(tmp_path)
    assert (again.config.pad_token_id, again.config.bos_token_id) == (0, 1)
    assert again.generation_config.eos_token_id == list(range(2, 50))


@pytest.mark.parametrize("cls", [SpikeGPTForCausalLM, SpikeGPTForSequenceClassification])
def test_trainer_predicts(cls: Any, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    model = cls(SpikeGPTPreTrainedConfig(50, 32, 2, dropout=0.0)).eval()
    ids = torch.randint(0, 50, (6, 12))
    data = [{"input_ids": row, "labels": row if cls is SpikeGPTForCausalLM else torch.tensor(1)} for row in ids]
    arguments = transformers.TrainingArguments(tmp_path, per_device_eval_batch_size=4, report_to=[], use_cpu=True)
    found = transformers.Trainer(model, arguments).predict(data)
    with torch.no_grad():
        assert_close(torch.from_numpy(found.predictions), model(ids).logits, rtol=1e-4, atol=1e-5)
