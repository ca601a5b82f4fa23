"""Event files hold what `metrics.jsonl` says, by TensorBoard's own reader, and a resumed run has every epoch once."""

import sys
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dendrix.models import DelayNetConfig
from dendrix.run_folder.record import METRICS, read_lines
from dendrix.train.command import TrainRun, train_run
from dendrix.train.sequence.data import DigitsData
from dendrix.train.sequence.recipe import Budget, SequenceRecipe
from dendrix.train.tensorboard import EventFiles

RECIPE = SequenceRecipe(
    DigitsData(row_steps=2),
    DelayNetConfig(inputs=8, outputs=10, hidden=(4,), max_delay_ms=2.0, dt_ms=1.0),
    budget=Budget(epochs=3, batch_size=512),
)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What the reader finds over all event files of a folder."""
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {name: [(event.step, event.value) for event in reader.Scalars(name)] for name in reader.Tags()["scalars"]}


def expect_complete(folder: Path) -> None:
    found, lines = scalars(folder), read_lines(folder / METRICS)
    assert len(lines) == 3
    for name, values in {
        "valid_accuracy": [line["valid_accuracy"] for line in lines],
        "loss": [line["loss"] for line in lines],
        "rates/delays": [line["rates"]["delays"] for line in lines],
        "health/stages/2/rate": [line["health"]["stages.2"]["rate"] for line in lines],
    }.items():
        assert found[name] == [(epoch, pytest.approx(value)) for epoch, value in enumerate(values, 1)]
    assert "epoch" not in found


def test_every_epoch_is_there(tmp_path: Path) -> None:
    _, folder = train_run(TrainRun(RECIPE, tmp_path / "run", tensorboard=True, json=True), "digits")
    expect_complete(folder)


@pytest.mark.parametrize("late", [False, True])
def test_a_resumed_run_has_every_epoch_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    """The first start dies after its second epoch is complete, before or after that is in the event file."""
    write = EventFiles.write

    def dying(self: EventFiles, lines: list[dict[str, Any]]) -> None:
        if len(lines) == 1 or late:
            write(self, lines)
        if len(lines) == 2:
            raise RuntimeError("killed")

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(EventFiles, "write", dying)
        with pytest.raises(RuntimeError, match="killed"):
            train_run(TrainRun(RECIPE, folder, tensorboard=True, json=True), "digits")
    assert len(scalars(folder)["loss"]) == 1 + late
    train_run(TrainRun(RECIPE, folder, tensorboard=True, resume=True, json=True), "digits")
    expect_complete(folder)
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1


def test_a_run_that_is_complete_keeps_its_file(tmp_path: Path) -> None:
    run = TrainRun(RECIPE, tmp_path / "run", tensorboard=True, resume=True, json=True)
    train_run(run, "digits")
    train_run(run, "digits")
    expect_complete(tmp_path / "run")


def test_without_tensorboard_the_extra_is_named_before_anything_is_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r"pip install dendrix\[tensorboard\]"):
        train_run(TrainRun(RECIPE, tmp_path / "run", tensorboard=True, json=True), "digits")
    assert not (tmp_path / "run").exists()
