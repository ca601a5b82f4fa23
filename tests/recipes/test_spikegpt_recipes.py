"""The recipes for networks of 46 and 216 million parameters train, as published but for their sizes, their text and their length."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save

from dendrix.models.spikegpt.network import SpikeGPTConfig
from dendrix.pretrained.packed import pack_tensors
from dendrix.recipes import find_recipe
from dendrix.train.loop import train_recipe
from dendrix.train.text.learner import rate
from dendrix.train.text.recipe import TextRecipe

pytest.importorskip("transformers")


@pytest.mark.parametrize("name", ["spikegpt-46m", "spikegpt-46m:published", "spikegpt-216m"])
def test_a_few_steps_of_a_published_recipe(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("the spikes of the rain in spain\n" * 400)
    recipe = find_recipe(name)()
    assert isinstance(recipe, TextRecipe)
    assert isinstance(recipe.model, SpikeGPTConfig)
    kept = recipe.data.tokenizer if recipe.data.tokenizer in ("bytes", "characters") else "learned"
    data = replace(recipe.data, text=str(tmp_path / "text.txt"), tokenizer=kept, vocabulary=300)
    size = data.load().tokenizer.get_vocab_size()
    budget = replace(recipe.budget, steps=2, every=2, batch_size=4, context=16, valid_tokens=100, sample_tokens=4)
    small = replace(recipe, data=data, model=replace(recipe.model, vocab_size=size, width=16, layers=7), budget=budget)
    (tmp_path / "run").mkdir()
    record = train_recipe(small, tmp_path / "run", name=name, quiet=True)
    assert record["progress"]["stopped"] == "finished"
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    assert line["rates"]["matrices"] == rate(recipe.optim, 1, 2)
    assert 0 < line["valid_bits_per_byte"] < 10


@pytest.mark.parametrize("variant", ["", ":inputs", ":continuous"])
def test_novels_fit_into_one_and_a_half_megabytes(variant: str) -> None:
    recipe = find_recipe(f"spikegpt-novels{variant}")()
    assert isinstance(recipe, TextRecipe)
    packed = pack_tensors(dict(recipe.model.build().state_dict()), "int8")
    assert 1_400_000 < len(save(packed, {"format": "pt"})) <= 1_500_000
    assert rate(recipe.optim, recipe.budget.steps, recipe.budget.steps) == recipe.optim.final_lr
