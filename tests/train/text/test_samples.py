"""Samples in the middle of a training, which it does not notice."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dendrix.models import SpikeGPT, SpikeGPTConfig
from dendrix.run_folder.record import METRICS, read_lines
from dendrix.train.loop import train_recipe
from dendrix.train.text.data import TextData
from dendrix.train.text.recipe import TextBudget, TextOptim, TextRecipe
from dendrix.train.text.samples import sampled_tokens


def test_a_sample_follows_from_its_seed_and_its_prompt_alone() -> None:
    model, prompt = SpikeGPT(SpikeGPTConfig(7, 16, 2)).eval(), torch.tensor([1, 2, 3])
    random = torch.get_rng_state()
    one = sampled_tokens(model, prompt, 20, seed=5)
    assert torch.equal(torch.get_rng_state(), random)
    assert one.shape == (20,)
    assert torch.equal(one, sampled_tokens(model, prompt, 20, seed=5))
    assert not torch.equal(one, sampled_tokens(model, prompt, 20, seed=6))


def test_it_draws_what_the_model_says() -> None:
    class Next:
        def step(self, x: torch.Tensor, state: object) -> tuple[torch.Tensor, object]:
            return torch.nn.functional.one_hot((x + 1) % 10, 10) * 1000.0, state

    assert sampled_tokens(Next(), torch.tensor([3, 6]), 5, seed=0).tolist() == [7, 8, 9, 0, 1]


def test_a_training_with_samples_is_the_same_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("the spikes of the rain in spain\n" * 100)
    budget = TextBudget(steps=4, every=2, batch_size=2, context=16, valid_tokens=100, sample_tokens=9)
    recipe = TextRecipe(TextData(str(tmp_path / "text.txt")), SpikeGPTConfig(256, 16, 1, dropout=0.1), TextOptim(warm_up=1), budget)
    for name, count in (("with", 9), ("without", 0)):
        (tmp_path / name).mkdir()
        train_recipe(replace(recipe, budget=replace(budget, sample_tokens=count)), tmp_path / name, quiet=True)
    one, other = (read_lines(tmp_path / name / METRICS) for name in ("with", "without"))
    assert all(len(line["sample"]) == 9 or "\ufffd" in line["sample"] for line in one)
    assert [line["loss"] for line in one] == [line["loss"] for line in other]
    assert "sample" not in other[0]
