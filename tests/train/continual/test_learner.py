"""Task after task on a small pack of generated images: the run folder is complete, repeatable, and can be evaluated."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dendrix.cli import main
from dendrix.data import Images
from dendrix.errors import DivergedError, InputError
from dendrix.models import DendriticNetConfig
from dendrix.run_folder.checkpoint import read_checkpoint
from dendrix.runs.evaluation import evaluate_run
from dendrix.train.command import TrainRun, train_run
from dendrix.train.continual.data import PermutedMnistData, PermutedTasks
from dendrix.train.continual.recipe import ContinualRecipe
from dendrix.train.loop import train_recipe


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pack of 200 + 60 images: a bar for each digit, in noise."""
    folder, rng = tmp_path_factory.mktemp("mnist"), np.random.default_rng(0)
    pack = {}
    for split, count in (("train", 200), ("test", 60)):
        y = rng.integers(0, 10, count).astype(np.uint8)
        x = rng.integers(0, 60, (count, 28, 28)).astype(np.uint8)
        for image, digit in zip(x, y, strict=True):
            image[2 * digit + 4 : 2 * digit + 6] = 255
        pack |= {f"{split}_x": x, f"{split}_y": y}
    np.savez(folder / "mnist_small.npz", **pack)
    return folder


@pytest.fixture
def recipe(root: Path) -> ContinualRecipe:
    model = DendriticNetConfig(hidden=(60,), active=0.2, segments=2, tasks=2)
    return ContinualRecipe(model, epochs=4, batch_size=20, lr=5e-3, data=PermutedMnistData(held_out=50, root=root))


def test_tasks_are_permutations_that_the_seed_and_the_number_give(recipe: ContinualRecipe) -> None:
    tasks = recipe.data.load().test
    assert len(tasks) == 2 * 60
    first, second = tasks.task(0), tasks.task(1)
    assert not torch.equal(first, second)
    assert torch.equal(first.sort(1).values, second.sort(1).values)
    assert torch.equal(first, recipe.data.load().test.task(0))
    assert not torch.equal(first, replace(recipe, seed=1).data.load().test.task(0))
    assert [tuple(batch.x.shape) for batch in tasks.batches(size=40)] == [(40, 1, 784), (20, 1, 784)] * 2


def test_pixels_are_normalised() -> None:
    black = PermutedTasks(Images(torch.zeros(1, 28, 28, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64)), 1, 0).task(0)
    torch.testing.assert_close(black, torch.full((1, 784), -0.1307 / 0.3081))


def test_training_validation_and_test_images_are_apart(recipe: ContinualRecipe) -> None:
    train, valid, _ = recipe.data.load()
    assert (len(train.y), len(valid.y)) == (150, 50)
    assert not (train.x.unsqueeze(1) == valid.x).all(-1).any()
    with pytest.raises(InputError, match="held_out: expected from 0 to 199"):
        replace(recipe.data, held_out=200).load()


def test_a_run_folder_says_everything_and_is_evaluated(recipe: ContinualRecipe, tmp_path: Path) -> None:
    record, folder = train_run(TrainRun(recipe, tmp_path / "run", json=True), "small")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "metrics.jsonl", "model.safetensors", "run.json"]
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["task"] for line in lines] == [0] * 4 + [1] * 4
    validated = [line for line in lines if "valid_accuracy" in line]
    assert [line["epoch"] for line in validated] == [3, 7]  # at the end of each task
    assert validated[1]["valid_accuracy"] == record["progress"]["best_accuracy"] == evaluate_run(folder, "valid").accuracy
    scores = evaluate_run(folder, "test")
    assert scores.accuracy > 0.9  # both tasks, though the first was learned first
    assert sum(map(sum, scores.confusion)) == 120


@pytest.mark.parametrize("changed", [dict(segments=0), dict(segments=0, active=None, weight_density=1.0)], ids=["kwinners", "plain"])
def test_the_variants_run(recipe: ContinualRecipe, tmp_path: Path, changed: dict) -> None:
    data = replace(recipe.data, held_out=0)
    record = train_recipe(replace(recipe, model=replace(recipe.model, **changed), data=data), tmp_path, quiet=True)
    assert record["progress"]["best_accuracy"] is None
    assert evaluate_run(tmp_path, "test").accuracy > 0.5


def test_the_same_seed_gives_the_same_network_and_another_seed_another(recipe: ContinualRecipe, tmp_path: Path) -> None:
    networks = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        _, folder = train_run(TrainRun(replace(recipe, seed=seed, epochs=1), tmp_path / name, json=True), "small")
        networks.append(read_checkpoint(folder).model.state_dict())
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])
    assert not torch.equal(networks[0]["readout.weight"], networks[2]["readout.weight"])


def test_a_network_for_other_images_is_refused(recipe: ContinualRecipe, tmp_path: Path) -> None:
    for name, wrong, right in (("inputs", 100, 784), ("outputs", 9, 10)):
        with pytest.raises(ValueError, match=rf"model.{name}: expected {right}, as in the images, got {wrong}"):
            train_recipe(replace(recipe, model=replace(recipe.model, **{name: wrong})), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_divergence_is_one_sentence_and_leaves_nothing(recipe: ContinualRecipe, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"Training diverged at step \d+: loss .*Lower --"):
        train_run(TrainRun(replace(recipe, lr=1e38), tmp_path / "runs" / "run", json=True), "small")
    assert not (tmp_path / "runs").exists()


def test_the_command_line_trains_and_evaluates(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model.hidden", "30", "--model.tasks", "2", "--model.segments", "2", "--epochs", "1", "--data.held-out", "50"]
    run = str(tmp_path / "run")
    assert main(["train", "permuted-mnist", *options, "--data.root", str(root), "--out", run]) == 0
    assert "Best validation accuracy" in capsys.readouterr().out
    assert main(["evaluate", run, "--split", "valid"]) == 0
    assert "of 100 inputs" in capsys.readouterr().out
    assert main(["train", "permuted-mnist", "--data.root", str(tmp_path / "nowhere"), "--out", str(tmp_path / "other")]) == 1
    assert "MNIST: expected a data folder" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_run_resumes_within_a_task_and_between_tasks_to_the_same_bits(recipe: ContinualRecipe, tmp_path: Path) -> None:
    whole = train_recipe(recipe, _made(tmp_path / "whole"), quiet=True)
    for stop in (3, 4):  # the last epoch of the first task, and the first of the second

        def watch(lines: list[dict], stop: int = stop) -> None:
            if len(lines) == stop:
                raise KeyboardInterrupt

        folder = _made(tmp_path / f"part-{stop}")
        with pytest.raises(KeyboardInterrupt):
            train_recipe(recipe, folder, quiet=True, watch=watch)
        record = train_recipe(recipe, folder, quiet=True, resume=True)
        assert record["progress"] == whole["progress"]
        assert (folder / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
