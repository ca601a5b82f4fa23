"""A run survives: kills, full disks and damaged files lose nothing that was complete, and what is resumed ends as if nothing had been."""

import errno
import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dendrix.core.files import locked
from dendrix.run_folder.checkpoint import load_checkpoint
from dendrix.run_folder.state import Progress, states
from dendrix.runs.evaluation import evaluate_run
from dendrix.train.command import TrainRun, train_run
from dendrix.train.metrics import Scores
from dendrix.train.sequence.learner import SequenceLearner
from dendrix.train.sequence.recipe import Budget, SequenceRecipe
from support.kill_often import recipe as small
from support.processes import run_python

COMPLETE = ["config.json", "metrics.jsonl", "model.safetensors", "run.json"]


@pytest.fixture
def recipe(tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SequenceRecipe:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("dendrix.train.loop.environment", lambda _: {})  # a source tree may change while its tests run
    return small(tones, epochs=4)


def train(recipe: SequenceRecipe, folder: Path, resume: bool = False) -> Path:
    return train_run(TrainRun(recipe, folder, resume=resume, json=True), "tones")[1]


def stopped_after(epochs: int, recipe: SequenceRecipe, folder: Path, error: BaseException | None = None) -> Path:
    """An unfinished run in the folder: an error, or Ctrl-C, came after some epochs."""
    original, error = SequenceLearner.train, error or RuntimeError("stop here")

    def train_some(learner: SequenceLearner, progress: Progress) -> dict:
        if progress.epoch == epochs:
            raise error
        return original(learner, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SequenceLearner, "train", train_some)
        with pytest.raises(type(error), match=str(error) or "interrupted in epoch"):
            train(recipe, folder)
    return folder


def without_times(folder: Path) -> dict[str, object]:
    """All that a run folder holds, but for how long it took."""
    record = json.loads((folder / "run.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for part in (record, *lines):
        part.pop("seconds")
    others = {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("run.json", "metrics.jsonl")}
    return {"run.json": record, "metrics.jsonl": lines, **others}


def killed(tones: Path, folder: Path, kills: int, seed: int) -> list[dict]:
    """Kill and resume a run often, and expect what a run in one go gives; returns what happened."""
    done = run_python("-m", "support.kill_often", tones, folder, kills, seed, DENDRIX_CACHE=folder / "cache")
    assert done.returncode == 0, done.stderr
    whole, often = without_times(folder / "whole"), without_times(folder / "killed")
    assert sorted(whole) == COMPLETE
    assert often == whole
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_killed_at_random_moments_it_ends_as_in_one_go(tones: Path, tmp_path: Path) -> None:
    happened = killed(tones, tmp_path, kills=4, seed=0)
    assert sum(event["killed"] for event in happened) >= 3
    assert any("resume-" in name for event in happened for name in event["files"])


@pytest.mark.extended
def test_twenty_kills(tones: Path, tmp_path: Path) -> None:
    happened = killed(tones, tmp_path, kills=20, seed=1)
    assert sum(event["killed"] for event in happened) >= 15


@pytest.mark.parametrize("epochs", [1, 3])
def test_what_is_resumed_ends_as_in_one_go(recipe: SequenceRecipe, tmp_path: Path, epochs: int) -> None:
    whole = without_times(train(recipe, tmp_path / "whole"))
    part = stopped_after(epochs, recipe, tmp_path / "part")
    assert len(states(part)) == min(epochs, 2)
    assert without_times(train(recipe, part, resume=True)) == whole


def test_an_early_stop_is_the_same_after_a_kill(recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dendrix.train.sequence.learner.score", lambda *_: Scores(0.5, 1.0, [], []))
    impatient = replace(recipe, budget=Budget(epochs=12, batch_size=40, anneal=0.0, patience=1))
    record, folder = train_run(TrainRun(impatient, tmp_path / "whole", json=True), "tones")
    assert record["progress"]["epoch"] == 2
    whole = without_times(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dendrix.run_folder.state.Run.finish", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            train(impatient, tmp_path / "part")
    assert without_times(train(impatient, tmp_path / "part", resume=True)) == whole


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda _: b"", lambda whole: b"\xff" * len(whole)])
def test_a_damaged_state_falls_back_to_the_one_before_and_is_named(
    recipe: SequenceRecipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    said = "Epoch 3: resume-00003.safetensors is damaged, resumed from resume-00002.safetensors instead."
    whole = without_times(train(recipe, tmp_path / "whole"))
    part = stopped_after(3, recipe, tmp_path / "part")
    newest = states(part)[0]
    newest.write_bytes(damage(newest.read_bytes()))
    train_run(TrainRun(recipe, part, resume=True), "tones")
    assert f"{said}\n" in capsys.readouterr().err
    resumed = without_times(part)
    resumed["run.json"]["warnings"].remove(said)  # type: ignore[index]
    assert resumed == whole


def test_where_every_state_is_damaged_it_says_so(recipe: SequenceRecipe, tmp_path: Path) -> None:
    part = stopped_after(2, recipe, tmp_path / "part")
    for state in states(part):
        state.write_bytes(state.read_bytes()[:-1])
    before = {path: path.read_bytes() for path in part.iterdir()}
    with pytest.raises(ValueError, match=r"resume-00002.safetensors and resume-00001.safetensors are damaged"):
        train(recipe, part, resume=True)
    assert {path: path.read_bytes() for path in part.iterdir()} == before


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, *[pytest.param(part, marks=pytest.mark.extended) for part in (0.1, 0.5, 0.7)]])
def test_a_full_disk_loses_nothing_that_was_complete(
    recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """The disk is full at the first write of a run, at its last, or between them."""
    short = replace(recipe, budget=replace(recipe.budget, epochs=2))
    sync, count, last = os.fsync, 0, math.inf

    def full(file: int) -> None:
        nonlocal count
        if count == last:
            raise OSError(errno.ENOSPC, "No space left on device")
        count += 1
        sync(file)

    short.data.load()  # fills the cache, so that the writes of the run alone are counted
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        whole = without_times(train(short, tmp_path / "whole"))
        count, last = 0, round(share * (count - 1))
        with pytest.raises(OSError, match="No space left"):
            train(short, tmp_path / "part")
    assert not list(tmp_path.glob("part/.*"))
    assert not (tmp_path / "part").exists() or states(tmp_path / "part")
    assert without_times(train(short, tmp_path / "part", resume=True)) == whole


def test_ctrl_c_keeps_the_best_so_far_and_can_be_resumed(recipe: SequenceRecipe, tmp_path: Path) -> None:
    whole = without_times(train(recipe, tmp_path / "whole"))
    part = stopped_after(2, recipe, tmp_path / "part", KeyboardInterrupt())
    progress = json.loads((part / "run.json").read_text())["progress"]
    assert progress["stopped"] == "interrupted"
    assert load_checkpoint(part).labels == tuple("0123456789")
    assert evaluate_run(part, "valid").accuracy == progress["best_accuracy"]
    assert without_times(train(recipe, part, resume=True)) == whole


def test_a_complete_run_stays_as_it_is(recipe: SequenceRecipe, tmp_path: Path) -> None:
    folder = train(recipe, tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    record, _ = train_run(TrainRun(recipe, folder, resume=True, json=True), "tones")
    assert record == json.loads((folder / "run.json").read_text())
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_a_complete_run_that_lost_its_weights_is_no_result(recipe: SequenceRecipe, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = train(recipe, tmp_path / "run")
    damage(folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors: expected the weights of a complete run, but they are missing or damaged"):
        train(recipe, folder, resume=True)


def test_another_recipe_seed_or_data_is_refused(recipe: SequenceRecipe, tmp_path: Path) -> None:
    part = stopped_after(1, recipe, tmp_path / "part")
    before = without_times(part)
    for changed, says in (
        (replace(recipe, seed=1), "recipe.seed was 0 and is 1"),
        (replace(recipe, optim=replace(recipe.optim, lr=0.5)), "recipe.optim.lr was 0.02 and is 0.5"),
    ):
        with pytest.raises(ValueError, match=f"part: expected to resume the same run, but {says}. Start it in another folder"):
            train(changed, part, resume=True)
    record = json.loads((part / "run.json").read_text())
    (part / "run.json").write_text(json.dumps({**record, "data_sha256": "another"}))
    with pytest.raises(ValueError, match='but data_sha256 was "another" and is'):
        train(recipe, part, resume=True)
    (part / "run.json").write_text(json.dumps({**record, "recipe": {**record["recipe"], "model": None}}))
    with pytest.raises(ValueError, match=r"but recipe\.model was null and is an object of \d+ fields\. Start"):
        train(recipe, part, resume=True)
    (part / "run.json").write_text(json.dumps(record))
    assert without_times(part) == before


def test_an_unfinished_run_is_not_overwritten_and_the_way_on_is_named(recipe: SequenceRecipe, tmp_path: Path) -> None:
    part = stopped_after(1, recipe, tmp_path / "part")
    with pytest.raises(FileExistsError, match=r"but it exists\. Continue it with --resume"):
        train(recipe, part)


def test_two_processes_cannot_train_in_one_folder(recipe: SequenceRecipe, tmp_path: Path) -> None:
    part = stopped_after(1, recipe, tmp_path / "part")
    before = without_times(part)
    (tmp_path / "new").mkdir()
    with locked(part), locked(tmp_path / "new"):
        for folder in (part, tmp_path / "new"):
            with pytest.raises(BlockingIOError, match="expected a folder that no other process writes to, but one does"):
                train(recipe, folder, resume=True)
    assert not list((tmp_path / "new").iterdir())
    assert without_times(part) == before
    train(recipe, part, resume=True)


def test_a_folder_that_is_no_run_is_left_alone(recipe: SequenceRecipe, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError, match=r"mine: expected an unfinished run, but it has no run\.json"):
        train(recipe, tmp_path / "mine", resume=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_another_environment_is_recorded(recipe: SequenceRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = stopped_after(1, recipe, tmp_path / "part")
    monkeypatch.setattr("dendrix.train.loop.environment", lambda _: {"versions": {"torch": "9"}})
    train(recipe, part, resume=True)
    record = json.loads((part / "run.json").read_text())
    assert any(text.startswith("Epoch 2: resumed in another environment") for text in record["warnings"])
