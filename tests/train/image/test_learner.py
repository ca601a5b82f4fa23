"""Image networks in the training loop: what they learn, that a resumed run equals one in one go, and what is refused."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from dendrix.errors import DivergedError, InputError
from dendrix.models import VGG, ResNetConfig, VGGConfig
from dendrix.run_folder.checkpoint import load_checkpoint
from dendrix.run_folder.state import Progress
from dendrix.runs.evaluation import evaluate_run, record_run
from dendrix.runs.opened import open_run
from dendrix.train.command import TrainRun, train_run
from dendrix.train.image.data import CifarData, ImageFolderData
from dendrix.train.image.learner import ImageLearner, rate
from dendrix.train.image.recipe import ImageAugment, ImageBudget, ImageOptim, ImageRecipe
from support.picture_files import encoded, write_binary
from support.processes import run_python


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageRecipe:
    monkeypatch.setattr("dendrix.train.loop.environment", lambda _: {})  # a source tree may change while its tests run
    folder = tmp_path / "cifar"
    folder.mkdir()
    write_binary(folder)
    return ImageRecipe(
        CifarData(held_out=40, root=folder),
        VGGConfig(stages=((8,), (16,)), threshold=2.0),
        ImageOptim(lr=0.1, warm_up=0.2),
        ImageBudget(epochs=3, batch_size=16),
        ImageAugment(shift=1, flip=False, cutout=4),
    )


def train(recipe: ImageRecipe, folder: Path, resume: bool = False) -> Path:
    return train_run(TrainRun(recipe, folder, resume=resume, json=True), "images")[1]


def test_coloured_corners_are_told_apart(recipe: ImageRecipe, tmp_path: Path) -> None:
    longer = replace(recipe, budget=ImageBudget(epochs=25, batch_size=10), augment=ImageAugment(shift=0, flip=False))
    folder = train(longer, tmp_path / "run")
    assert evaluate_run(folder, "test").accuracy > 0.8


def test_a_run_folder_gives_the_best_network_back(recipe: ImageRecipe, tmp_path: Path) -> None:
    folder = train(recipe, tmp_path / "run")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "metrics.jsonl", "model.safetensors", "run.json"]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12]
    assert set(lines[0]["thresholds"]) == {"features.2", "features.6"}
    best = json.loads((folder / "run.json").read_text())["progress"]
    checkpoint = load_checkpoint(folder)
    assert isinstance(checkpoint.model, VGG)
    assert checkpoint.labels[3] == "cat"
    scores = evaluate_run(folder, "valid")
    assert (scores.accuracy, scores.loss) == (best["best_accuracy"], pytest.approx(best["best_loss"]))
    assert scores.accuracy_over_time == [scores.accuracy]
    assert sum(map(sum, scores.confusion)) == 40
    with pytest.raises(InputError, match="expected a network with outputs after every step, got one with a single output"):
        record_run(open_run(folder, "valid"))


@pytest.mark.parametrize("model", [VGGConfig(stages=((4,),), hidden=(8,), dropout=0.5), ResNetConfig(channels_of=(4,), blocks=(1,))])
def test_a_resumed_run_equals_one_in_one_go(
    recipe: ImageRecipe, model: VGGConfig | ResNetConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(recipe, model=model)
    whole, original = train(recipe, tmp_path / "whole"), ImageLearner.train

    def stopped(learner: ImageLearner, progress: Progress) -> dict:
        if progress.epoch == 2:
            raise RuntimeError("stop here")
        return original(learner, progress)

    with monkeypatch.context() as patch:
        patch.setattr(ImageLearner, "train", stopped)
        with pytest.raises(RuntimeError, match="stop here"):
            train(recipe, tmp_path / "parts")
    parts = train(recipe, tmp_path / "parts", resume=True)
    assert (parts / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    one, other = ([json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()] for folder in (whole, parts))
    assert [{**line, "seconds": 0} for line in one] == [{**line, "seconds": 0} for line in other]


def test_the_seed_decides(recipe: ImageRecipe, tmp_path: Path) -> None:
    same, again, other = (
        (train(replace(recipe, seed=seed), tmp_path / name) / "model.safetensors").read_bytes()
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert same == again != other


def test_the_rate_rises_then_falls_to_zero() -> None:
    optim = ImageOptim(lr=0.4, warm_up=0.1)
    assert [rate(optim, share) for share in (0, 0.05, 0.1, 0.55, 1)] == pytest.approx([0, 0.2, 0.4, 0.2, 0])
    assert rate(ImageOptim(lr=0.4, warm_up=0), 0) == 0.4


def test_divergence_stops_with_one_sentence_and_leaves_nothing(recipe: ImageRecipe, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"Training diverged at step \d+: .*Lower --optim\.lr"):
        train(replace(recipe, optim=ImageOptim(lr=1e30)), tmp_path / "runs" / "run")
    assert not (tmp_path / "runs").exists()


def test_nan_in_the_input_is_found(recipe: ImageRecipe, tmp_path: Path) -> None:
    def spoil(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(module, VGG) and module.training:
            inputs[0][0, 0, 0, 0] = math.nan

    with register_module_forward_pre_hook(spoil), pytest.raises(DivergedError, match="Training diverged at step 0: loss nan"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (VGGConfig(outputs=9), r"model\.outputs: expected 10, the number of classes, got 9\. Set --model\.outputs 10"),
        (VGGConfig(mean=(0.5,), std=(0.2,)), r"model\.mean: expected 3 numbers, one for each channel of the images, got 1"),
    ],
)
def test_a_network_that_does_not_fit_its_data_is_refused(model: VGGConfig, message: str, recipe: ImageRecipe, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        train(replace(recipe, model=model), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("activation", ["qcfs", "relu"])
def test_the_layout_in_memory_changes_nothing(activation: str) -> None:
    network = VGG(VGGConfig(activation=activation)).eval()
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(network(x.contiguous(memory_format=torch.channels_last)), network(x))


def test_a_folder_of_files_trains_in_the_same_way(tmp_path: Path) -> None:
    for part, count in (("train", 12), ("val", 3)):
        for number, name in enumerate(("dark", "light")):
            (tmp_path / part / name).mkdir(parents=True)
            for image in range(count):
                x = np.full((3, 16, 16), 30 + 180 * number + image, np.uint8)
                (tmp_path / part / name / f"{image}.png").write_bytes(encoded(x))
    recipe = ImageRecipe(
        ImageFolderData(side=8, held_out=0.25, root=tmp_path),
        VGGConfig(outputs=2, stages=((4,),), threshold=2.0),
        budget=ImageBudget(epochs=15, batch_size=6),
        augment=ImageAugment(shift=0),
    )
    folder = train(recipe, tmp_path / "run")
    assert evaluate_run(folder, "test").accuracy == 1
    assert train(recipe, folder, resume=True) == folder
    (tmp_path / "train" / "dark" / "0.png").unlink()
    with pytest.raises(ValueError, match="expected to resume the same run, but data_sha256"):
        train(recipe, folder, resume=True)


@pytest.mark.extended
def test_two_processes_train_one_network(recipe: ImageRecipe, tmp_path: Path) -> None:
    options = ["--data.root", recipe.data.root, "--data.held-out", "41", "--budget.epochs", "2", "--budget.batch-size", "16", "--json"]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "dendrix"]
    command = [*torchrun, "train", "cifar10-qcfs-vgg-small", *options, "--out", tmp_path / "run"]
    done = run_python(*command)
    assert done.returncode == 0, done.stderr
    best = json.loads(done.stdout)["progress"]
    assert best["step"] == 8
    scores = evaluate_run(tmp_path / "run", "valid")
    assert (scores.accuracy, scores.loss) == (pytest.approx(best["best_accuracy"]), pytest.approx(best["best_loss"], rel=1e-5))
