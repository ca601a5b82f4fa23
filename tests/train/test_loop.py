"""Training on generated tones: the run folder is complete, the same seed gives the same network, and failure leaves nothing."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dendrix.data import LogMel, loader
from dendrix.errors import DivergedError
from dendrix.models import Decision, DelayNet, DelayNetConfig
from dendrix.run_folder.checkpoint import load_checkpoint, read_checkpoint
from dendrix.run_folder.state import Progress
from dendrix.runs.evaluation import evaluate_run
from dendrix.train.command import TrainRun, train_run
from dendrix.train.loop import train_recipe
from dendrix.train.metrics import Scores, score
from dendrix.train.sequence import learner as learner_module
from dendrix.train.sequence.data import FsddData
from dendrix.train.sequence.learner import SequenceLearner, batch_loss
from dendrix.train.sequence.recipe import Budget, SequenceAugment, SequenceOptim, SequenceRecipe


@pytest.fixture
def recipe(tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SequenceRecipe:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    return SequenceRecipe(
        data=FsddData(LogMel(n_mels=8), root=tones),
        model=DelayNetConfig(inputs=8, outputs=10, hidden=(12,), max_delay_ms=40.0, dropout=0.1),
        decision=Decision(tail_ms=20.0),
        optim=SequenceOptim(lr=0.02),
        budget=Budget(epochs=3, batch_size=10),
        augment=SequenceAugment(shift_channels=1, mask_channels=1, mask_steps=1),
    )


def test_a_run_folder_says_everything_and_gives_the_best_network_back(recipe: SequenceRecipe, tmp_path: Path) -> None:
    record, folder = train_run(TrainRun(recipe, tmp_path / "run", json=True), "tones")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "metrics.jsonl", "model.safetensors", "run.json"]
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6, 9]
    best = lines[record["progress"]["best_epoch"]]
    assert best["valid_accuracy"] == record["progress"]["best_accuracy"] == max(line["valid_accuracy"] for line in lines)
    assert {"torch", "dendrix"} <= set(record["environment"]["versions"])
    assert any(name.startswith("lif_step") for name in record["kernels"])

    checkpoint = load_checkpoint(folder)
    held_out = loader(recipe.data.load().valid, 10, tail_steps=2)
    scores = score(checkpoint.model, held_out, checkpoint.decision)
    assert (scores.accuracy, scores.loss) == (best["valid_accuracy"], pytest.approx(best["valid_loss"]))
    assert evaluate_run(folder, "valid").accuracy == scores.accuracy


def test_tones_are_told_apart(recipe: SequenceRecipe, tmp_path: Path) -> None:
    longer = replace(recipe, budget=replace(recipe.budget, epochs=12), augment=SequenceAugment())
    _, folder = train_run(TrainRun(longer, tmp_path / "run", json=True), "tones")
    assert evaluate_run(folder, "test").accuracy > 0.9


def test_early_counts_every_step_of_every_clip(recipe: SequenceRecipe) -> None:
    recipe, model = replace(recipe, augment=SequenceAugment()), DelayNet(recipe.model).eval()
    batch = next(iter(loader(recipe.data.load().train, 25, tail_steps=2)))
    last, mixed, every = (batch_loss(replace(recipe, early=share), model, batch, 10)[0].item() for share in (0.0, 0.25, 1.0))
    by_clip = []
    for x, valid, y in zip(*batch, strict=True):
        evidence = recipe.decision.evidence(model, x[valid].unsqueeze(0))[0]
        by_clip.append(torch.nn.functional.cross_entropy(evidence, y.expand(len(evidence))).item())
    assert len({int(row.sum()) for row in batch.valid}) > 1
    assert every == pytest.approx(sum(by_clip) / len(by_clip), rel=1e-5)
    assert mixed == pytest.approx(0.75 * last + 0.25 * every, rel=1e-5)


def test_the_same_seed_gives_the_same_network_and_another_seed_another(recipe: SequenceRecipe, tmp_path: Path) -> None:
    states = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        _, folder = train_run(TrainRun(replace(recipe, seed=seed), tmp_path / name, json=True), "tones")
        states.append(read_checkpoint(folder).model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["stages.0.weight"], states[2]["stages.0.weight"])


def test_delays_stay_in_range_and_move_only_if_learned(recipe: SequenceRecipe, tmp_path: Path) -> None:
    wild = replace(recipe, optim=replace(recipe.optim, delay_lr=5.0), budget=replace(recipe.budget, epochs=1))
    train_run(TrainRun(wild, tmp_path / "learned", json=True), "tones")
    delay = read_checkpoint(tmp_path / "learned").model.state_dict()["stages.0.delay"]
    assert delay.min() == 0
    assert delay.max() == 4
    fixed = replace(wild, model=replace(wild.model, delays="random"))
    train_run(TrainRun(fixed, tmp_path / "random", json=True), "tones")
    assert torch.equal(read_checkpoint(tmp_path / "random").model.state_dict()["stages.0.delay"].unique(), torch.arange(5.0))


def test_early_stop_waits_for_narrow_delays(recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner_module, "score", lambda *_: Scores(0.5, 1.0, [], []))
    still = replace(recipe, budget=Budget(epochs=12, batch_size=40, anneal=0.5, patience=2))
    record = train_recipe(still, tmp_path, quiet=True)
    assert record["progress"]["stopped"] == "no better validation"
    assert record["progress"]["step"] == 9  # epochs 0 to 8: annealed after 6, then two more without a better one


def test_infinite_loss_stops_with_one_sentence_and_leaves_nothing(recipe: SequenceRecipe, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"Training diverged at step \d+: loss .*Lower --optim\.lr"):
        train_run(TrainRun(replace(recipe, optim=SequenceOptim(lr=1e30)), tmp_path / "runs" / "run", json=True), "tones")
    assert not (tmp_path / "runs").exists()


def test_infinite_validation_loss_stops_with_one_sentence(recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner_module, "score", lambda *_: Scores(0.5, math.inf, [], []))
    with pytest.raises(DivergedError, match=r"Training diverged at step \d+: validation loss inf\. Lower --optim\.lr"):
        train_run(TrainRun(recipe, tmp_path / "runs" / "run", json=True), "tones")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("epochs_done", "kept"), [(0, False), (1, True)])
def test_interrupt_keeps_the_best_so_far_or_nothing(
    recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs_done: int, kept: bool
) -> None:
    original = SequenceLearner.train

    def interrupted(learner: SequenceLearner, progress: Progress) -> dict:
        if progress.epoch == epochs_done:
            raise KeyboardInterrupt
        return original(learner, progress)

    monkeypatch.setattr(SequenceLearner, "train", interrupted)
    run = TrainRun(recipe, tmp_path / "runs" / "run", json=True)
    with pytest.raises(KeyboardInterrupt, match="interrupted in epoch 2; the best .* with --resume" if kept else "^$"):
        train_run(run, "tones")
    assert (tmp_path / "runs" / "run").exists() == kept
    if kept:
        assert json.loads((tmp_path / "runs" / "run" / "run.json").read_text())["progress"]["stopped"] == "interrupted"
        assert load_checkpoint(tmp_path / "runs" / "run").labels == tuple("0123456789")


def test_a_network_that_does_not_fit_its_data_is_refused_before_training(recipe: SequenceRecipe, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model.inputs: expected 8, as in the data, got 9. Set --model.inputs 8"):
        train_recipe(replace(recipe, model=replace(recipe.model, inputs=9)), tmp_path)
    assert list(tmp_path.glob("*.json*")) == []


def test_a_missing_extra_is_named(recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match=r"needs accelerate, .*pip install dendrix\[train\]"):
        train_recipe(recipe, tmp_path)


def test_an_existing_folder_is_not_overwritten(recipe: SequenceRecipe, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(FileExistsError, match="run: expected the name of a new folder"):
        train_run(TrainRun(recipe, tmp_path / "run", json=True), "tones")
    assert list((tmp_path / "run").iterdir()) == []
