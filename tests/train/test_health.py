"""NaN stops a training wherever it arises, with the step and the way to the last good network; idle parts of a network are named."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dendrix.cli import main
from dendrix.data import Batch
from dendrix.errors import DivergedError
from dendrix.models import DelayNet, DelayNetConfig
from dendrix.run_folder.checkpoint import load_checkpoint
from dendrix.run_folder.state import Progress
from dendrix.train.command import TrainRun, train_run
from dendrix.train.health import Watch, warnings
from dendrix.train.sequence.data import FsddData
from dendrix.train.sequence.learner import SequenceLearner, batch_loss
from dendrix.train.sequence.recipe import SequenceRecipe
from support.kill_often import recipe as small


@pytest.fixture
def recipe(tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SequenceRecipe:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    return small(tones, epochs=3)


def poisoned(monkeypatch: pytest.MonkeyPatch, after: int, poison: Callable[[SequenceLearner], object]) -> None:
    """Let something happen to the learner after some epochs."""
    original = SequenceLearner.train

    def train(learner: SequenceLearner, progress: Progress) -> dict:
        if progress.epoch == after:
            with torch.no_grad():
                poison(learner)
        return original(learner, progress)

    monkeypatch.setattr(SequenceLearner, "train", train)


def test_nan_in_the_data_is_refused_before_training(recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = FsddData.load

    def load(source: FsddData) -> object:
        splits = original(source)
        splits.train.x[7][3, 2] = math.nan
        return splits

    monkeypatch.setattr(FsddData, "load", load)
    with pytest.raises(ValueError, match="train: expected finite inputs, got NaN or infinity in item 7, step 3"):
        train_run(TrainRun(recipe, tmp_path / "run", json=True), "tones")
    assert not (tmp_path / "run").exists()


def test_nan_in_a_state_stops_although_the_loss_is_finite(recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []

    def measured(*arguments: object) -> object:
        result = batch_loss(*arguments)  # type: ignore[arg-type]
        losses.append(result[0].item())
        return result

    monkeypatch.setattr("dendrix.train.sequence.learner.batch_loss", measured)
    poisoned(monkeypatch, 1, lambda learner: learner.network.stages[2].decay.log_tau[4:5].fill_(math.nan))
    says = r"at step 3: NaN or infinity in the neurons of stages\.2\. Lower .*The best network so far, of epoch 1, is in .*run\."
    with pytest.raises(DivergedError, match=says):
        train_run(TrainRun(recipe, tmp_path / "run", json=True), "tones")
    assert len(losses) == 4
    assert all(map(math.isfinite, losses))
    assert load_checkpoint(tmp_path / "run").labels == tuple("0123456789")
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 1


def test_nan_that_only_validation_meets_stops(recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned(monkeypatch, 1, lambda learner: learner.network.stages[1].running_var.fill_(math.nan))
    with pytest.raises(DivergedError, match=r"at step 6: NaN or infinity in the neurons of stages\.2"):
        train_run(TrainRun(recipe, tmp_path / "run", json=True), "tones")


def test_nan_in_the_gradient_stops(recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned(monkeypatch, 2, lambda learner: learner.network.stages[4].weight.register_hook(lambda grad: grad * math.inf))
    with pytest.raises(DivergedError, match=r"at step 6: loss \d\.\d+, gradient norm (nan|inf).*of epoch \d, is in"):
        train_run(TrainRun(recipe, tmp_path / "run", json=True), "tones")


def test_divergence_is_exit_code_1_and_one_sentence(tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--data.encoder.n-mels 8 --model.inputs 8 --model.hidden 12 --optim.lr 1e30 --budget.epochs 2 --json"
    code = main(["train", "fsdd-delays", *options.split(), "--data.root", str(tones), "--out", str(tmp_path / "run")])
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert err.startswith("dendrix: Training diverged at step")
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_shares_of_idle_neurons_and_delays_are_counted_over_valid_steps() -> None:
    network = DelayNet(DelayNetConfig(4, 3, (5,), max_delay_ms=40.0, dropout=0.0)).eval()
    watch = Watch(network)
    with torch.no_grad():
        network.stages[1].bias.copy_(torch.tensor([-1e3, -1e3, 1e3, 1e3, 1e3]))
        network.stages[0].delay.copy_(torch.tensor([0.0, 4.0, 2.0, 1.0]).expand(5, 4).unsqueeze(2))
    for steps in (6, 9):
        valid = torch.arange(9) < torch.tensor([[steps], [3]])
        network(*Batch(torch.rand(2, 9, 4), valid, torch.zeros(2))[:1], None, valid)
    health = watch.health(lambda x: x)
    assert health["stages.2"] == {"rate": pytest.approx(0.6), "dead": pytest.approx(0.4), "saturated": pytest.approx(0.6)}
    assert health["stages.0"] == {"delays at bounds": 0.5}
    assert set(health) == {"stages.0", "stages.2", "stages.4"}  # the read-out never fires, and is not to
    assert set(watch.health(lambda x: x)) == {"stages.0", "stages.4"}
    assert set(warnings(health)) == {"stages.2: dead", "stages.2: saturated"}


def test_a_warning_comes_once_and_is_recorded(recipe: SequenceRecipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild = replace(recipe, optim=replace(recipe.optim, delay_lr=50.0))
    record, folder = train_run(TrainRun(wild, tmp_path / "run"), "tones")
    stuck = [text for text in record["warnings"] if "of the delays in stages.0 are 0 or the longest" in text]
    assert len(stuck) == 1
    assert stuck[0].startswith("Epoch ")
    assert capsys.readouterr().err.count(stuck[0]) == 1
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert all(set(line["health"]) == {"stages.0", "stages.2", "stages.4"} for line in lines)
