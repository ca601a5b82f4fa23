"""Language models learn, resume to the same last bit, and say what does not fit."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dendrix.models import SpikeGPTConfig
from dendrix.models.gpt2 import GPT2Config
from dendrix.models.spikegpt import NeuronConfig
from dendrix.train.loop import train_recipe
from dendrix.train.text.data import TextData
from dendrix.train.text.learner import rate
from dendrix.train.text.recipe import TextBudget, TextLoss, TextOptim, TextRecipe

pytest.importorskip("transformers")


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TextRecipe:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("the spikes of the rain in spain\n" * 400)
    data = TextData(str(tmp_path / "text.txt"))
    budget = TextBudget(steps=30, every=10, batch_size=4, context=16, valid_tokens=400)
    return TextRecipe(data, SpikeGPTConfig(256, 16, 2, start="rwkv"), TextOptim(lr=1e-2, warm_up=3), budget)


def trained(recipe: TextRecipe, folder: Path, **options: object) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    return train_recipe(recipe, folder, name="test", quiet=True, **options)  # type: ignore[arg-type]


def test_learns_and_leaves_a_folder_of_transformers(recipe: TextRecipe, tmp_path: Path) -> None:
    from dendrix.models.spikegpt.hf_files import load_language_model

    record = trained(recipe, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30]
    assert lines[-1]["valid_bits_per_byte"] < 0.8 * lines[0]["valid_bits_per_byte"]
    assert lines[0]["tokens_per_second"] > 0
    assert record["recipe"]["data"]["name"] == "text"  # type: ignore[index]
    model, tokenizer = load_language_model(tmp_path / "run")
    tokens = torch.tensor([tokenizer.encode("the spikes").ids])
    assert model(tokens).logits.isfinite().all()


@pytest.mark.parametrize("tied", [False, True])
def test_an_interrupted_run_goes_on_to_the_same_last_bit(recipe: TextRecipe, tmp_path: Path, tied: bool) -> None:
    recipe = replace(recipe, budget=replace(recipe.budget, steps=6, every=2))
    if tied:  # two names for one tensor, which the file format refuses
        recipe = replace(recipe, model=GPT2Config(256, 16, 2, heads=2, context=16, tied=True))
    trained(recipe, tmp_path / "whole")

    def stop(metrics: list[object]) -> None:
        if len(metrics) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="--resume"):
        trained(recipe, tmp_path / "cut", watch=stop)
    trained(recipe, tmp_path / "cut", resume=True)
    whole, cut = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut"))
    assert whole == cut


@pytest.mark.parametrize(
    ("model", "loss"),
    [
        (dict(decay_rank=4), TextLoss()),
        (dict(window=4), TextLoss()),
        (dict(neurons=NeuronConfig(alpha=1.0)), TextLoss(final_alpha=4.0)),
    ],
)
def test_networks_that_are_not_published_learn_and_resume(
    model: dict[str, Any], loss: TextLoss, recipe: TextRecipe, tmp_path: Path
) -> None:
    """To the same last bit; and the change matters: the weights are not those of a training without it."""
    network = replace(recipe.model, spikes="input", dropout=0.0, **model)
    recipe = replace(recipe, model=network, loss=loss, budget=replace(recipe.budget, batch_size=8, context=32))

    def stop(metrics: list[object]) -> None:
        if len(metrics) == 2:
            raise KeyboardInterrupt

    trained(recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(recipe, tmp_path / "cut", watch=stop)
    trained(recipe, tmp_path / "cut", resume=True)
    whole, cut = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut"))
    assert whole == cut
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["valid_bits_per_byte"] < 0.8 * lines[0]["valid_bits_per_byte"]
    if loss.final_alpha:
        trained(replace(recipe, loss=TextLoss()), tmp_path / "kept")
        assert (tmp_path / "kept" / "model.safetensors").read_bytes() != whole


def test_parts_of_a_batch_give_the_gradient_of_the_whole(recipe: TextRecipe, tmp_path: Path) -> None:
    still = replace(recipe, model=replace(recipe.model, dropout=0.0), budget=replace(recipe.budget, steps=2, every=2))
    norms = []
    for parts in (1, 4):
        trained(replace(still, budget=replace(still.budget, accumulate=parts)), tmp_path / str(parts))
        norms.append(json.loads((tmp_path / str(parts) / "metrics.jsonl").read_text())["gradient_norm"])
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_silent_neurons_are_warned_about_at_the_end_of_a_short_training(recipe: TextRecipe, tmp_path: Path) -> None:
    """Not before it, because they begin silent."""
    model = replace(recipe.model, spikes="input", v_threshold=99.0, window=4)
    record = trained(replace(recipe, model=model, budget=replace(recipe.budget, steps=2, every=1)), tmp_path / "run")
    found = record["warnings"]
    assert isinstance(found, list)
    assert len(found) == 8
    hint = "Lower --optim.lr, or hold the rate by --loss.rate."
    assert found[0] == f"Epoch 2: 100% of the neurons in blocks.0.att.key never fired in validation. {hint}"


def test_the_rate_rises_and_falls() -> None:
    optim = TextOptim(lr=1.0, final_lr=0.1, warm_up=4)
    assert [rate(optim, step, 100) for step in (0, 3, 4)] == [0.25, 1.0, 1.0]
    assert rate(optim, 52, 100) == pytest.approx(0.55)
    assert rate(optim, 100, 100) == pytest.approx(0.1)


def test_what_does_not_fit(recipe: TextRecipe, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Set --model\.vocab-size 256"):
        trained(replace(recipe, model=SpikeGPTConfig(50, 16, 2)), tmp_path / "a")
    with pytest.raises(ValueError, match="expected more than 5000 tokens"):
        trained(replace(recipe, budget=TextBudget(context=5000)), tmp_path / "b")
    with pytest.raises(ValueError, match=r"model\.window: expected at most 16 tokens, as in the budget, got 17"):
        trained(replace(recipe, model=replace(recipe.model, window=17)), tmp_path / "d")
    with pytest.raises(ValueError, match="accumulate: expected a divisor"):
        TextBudget(batch_size=4, accumulate=3)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        trained(replace(recipe, data=TextData("/nowhere/text.txt")), tmp_path / "c")


def test_megabytes_take_the_beginning_of_every_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    for name in ("train", "valid", "test"):
        (tmp_path / name).mkdir()
        for author in "ab":
            (tmp_path / name / f"{author}.txt").write_text(f"{author}\n" * 5000)
    train = TextData(str(tmp_path), megabytes=0.01).load().train
    assert len(train) == pytest.approx(10_000, abs=10)
    assert set(train.ids.tolist()) == {ord("a"), ord("b"), ord("\n")}
