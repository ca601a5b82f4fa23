"""Every recipe that is listed can be built, and its variants differ from it in what their names say alone."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dendrix.models import LSTM, MODELS, DelayNet, DendriticNet, LSTMConfig, SpikeGPT, SpikeGPTConfig
from dendrix.models.gpt2 import GPT2, GPT2Config
from dendrix.recipes import find_recipe, recipes
from dendrix.reproduce import demo
from dendrix.run_folder.checkpoint import load_checkpoint
from dendrix.train.continual.learner import ContinualRecipe
from dendrix.train.image.data import CifarData
from dendrix.train.image.recipe import ImageBudget, ImageRecipe
from dendrix.train.loop import train_recipe
from dendrix.train.recipe import recipe_to_dict
from dendrix.train.sentence.recipe import SentenceRecipe
from dendrix.train.sequence.recipe import Budget, SequenceRecipe
from dendrix.train.text.recipe import TextRecipe
from support.picture_files import write_binary

NAMES = [listed.name for listed in recipes()]


def test_the_list_has_both_experiments_and_their_variants() -> None:
    assert {"digits-delays", "fsdd-delays"} <= set(NAMES)
    assert {f"{name}:{variant}" for name in ("digits-delays", "fsdd-delays") for variant in ("none", "random", "axonal")} <= set(NAMES)
    assert all(listed.summary.endswith(".") for listed in recipes())


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_builds_its_network(name: str) -> None:
    recipe = find_recipe(name)()
    if isinstance(recipe, ContinualRecipe):
        assert DendriticNet(recipe.model).config == recipe.model
    elif isinstance(recipe, ImageRecipe):
        with torch.device("meta"):
            assert dict(MODELS.values())[type(recipe.model)](recipe.model).config.outputs == recipe_to_dict(recipe)["model"]["outputs"]
    elif isinstance(recipe, TextRecipe):
        with torch.device("meta"):
            network = {GPT2Config: GPT2, LSTMConfig: LSTM, SpikeGPTConfig: SpikeGPT}[type(recipe.model)](recipe.model)
        assert network.config.vocab_size == recipe_to_dict(recipe)["model"]["vocab_size"]
    elif isinstance(recipe, SentenceRecipe):  # its vocabulary is that of the data
        model = recipe.model
        with torch.device("meta"):
            assert (
                SpikeGPT(SpikeGPTConfig(recipe.data.vocabulary, model.width, model.layers, model.spikes, model.start)).config.layers
                == model.layers
            )
    else:
        assert isinstance(recipe, SequenceRecipe)
        assert DelayNet(recipe.model).config.dt_ms == recipe_to_dict(recipe)["model"]["dt_ms"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("file", ["commands-delays", "digits-delays", "fsdd-delays", "shd-delays"])
@pytest.mark.parametrize(
    ("variant", "field", "value"), [("none", "delays", "none"), ("random", "delays", "random"), ("axonal", "granularity", "axonal")]
)
def test_a_variant_changes_one_field(file: str, variant: str, field: str, value: str) -> None:
    main, other = find_recipe(file)(), find_recipe(f"{file}:{variant}")()
    assert other == dataclasses.replace(main, model=dataclasses.replace(main.model, **{field: value}))


@pytest.mark.parametrize("file", ["commands-delays", "fsdd-delays"])
def test_the_early_variant_changes_the_loss_alone(file: str) -> None:
    assert find_recipe(f"{file}:early")() == dataclasses.replace(find_recipe(file)(), early=0.5)


def test_twenty_words_are_fewer_classes_of_the_same_data() -> None:
    main, words20 = find_recipe("commands-delays")(), find_recipe("commands-delays:words20")()
    assert words20.data == dataclasses.replace(main.data, words=20)
    assert words20 == dataclasses.replace(main, data=words20.data, model=dataclasses.replace(main.model, outputs=20))


def test_the_variants_of_permuted_mnist_take_parts_away() -> None:
    main, kwinners, plain = (find_recipe(f"permuted-mnist{variant}")() for variant in ("", ":kwinners", ":plain"))
    assert (main.model.segments, kwinners.model.segments, plain.model.segments) == (main.model.tasks, 0, 0)
    assert main.model.active == kwinners.model.active == 0.05
    assert plain.model.active is None
    assert main.model.hidden == kwinners.model.hidden == plain.model.hidden


def test_an_unknown_recipe_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'fsdd-delays:axonal'"):
        find_recipe("fsdd-delays:axnal")


@pytest.mark.slow
def test_the_demo_keeps_older_runs_and_saves_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(variant: Callable[[], SequenceRecipe]) -> Callable[[], SequenceRecipe]:
        model = dataclasses.replace(variant().model, hidden=(4,))
        return lambda: dataclasses.replace(variant(), model=model, budget=Budget(batch_size=300))

    monkeypatch.setattr(demo, "VARIANTS", {title: small(variant) for title, variant in demo.VARIANTS.items()})
    (tmp_path / "runs" / "no-delays").mkdir(parents=True)
    rows = demo.compare(tmp_path, epochs=1)
    assert [row.title for row in rows] == ["no delays", "fixed random delays", "learned delays"]
    assert rows[0].parameters == rows[1].parameters < rows[2].parameters
    assert {"accuracy_over_time.png", "delays.png", "learning.png", "raster.png"} == {path.name for path in tmp_path.glob("*.png")}
    runs = {path.name for path in (tmp_path / "runs").iterdir()}
    assert runs == {"no-delays", "no-delays-2", "fixed-random-delays", "learned-delays"}


@pytest.mark.parametrize("name", ["cifar10-qcfs-vgg-small", "cifar10-qcfs-vgg-small:relu"])
def test_an_image_recipe_trains_an_epoch(name: str, tmp_path: Path) -> None:
    write_binary(tmp_path, per_batch=20)
    recipe = find_recipe(name)()
    assert isinstance(recipe, ImageRecipe)
    short = dataclasses.replace(recipe, data=CifarData(held_out=20, root=tmp_path), budget=ImageBudget(epochs=1, batch_size=40))
    (tmp_path / "run").mkdir()
    assert train_recipe(short, tmp_path / "run", quiet=True)["progress"]["step"] == 2
    assert load_checkpoint(tmp_path / "run").model.config == recipe.model
