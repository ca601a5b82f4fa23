"""Recipes, networks and data of a user's own on the command line."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from dendrix.cli import main
from support.own_nets import bumps, cnn
from support.picture_files import encoded

FILE = Path(__file__).parents[1] / "support" / "own_nets.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder with the user's file in it, which is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(FILE, tmp_path / "users_file.py")
    text = (tmp_path / "users_file.py").read_text().replace('"own_nets:Bumps"', '"users_file:Bumps"')
    (tmp_path / "users_file.py").write_text(text)
    yield tmp_path
    for name in ("users_file", "bad"):
        sys.modules.pop(name, None)


@pytest.fixture
def pictures(folder: Path) -> Path:
    """Dark and bright pictures by class."""
    rng = np.random.default_rng(0)
    for number, label in enumerate(("bright", "dark")):
        (folder / "pictures" / label).mkdir(parents=True)
        for i in range(20):
            picture = rng.integers(0, 90, (3, 10, 10)).astype(np.uint8) + (160 if number == 0 else 0)
            (folder / "pictures" / label / f"{i}.png").write_bytes(encoded(picture.astype(np.uint8)))
    return folder / "pictures"


def succeed(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


def refuse(capsys: pytest.CaptureFixture[str], code: int, *words: object) -> str:
    assert main([str(word) for word in words]) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def test_a_recipe_of_a_file_is_trained_evaluated_and_stopped_early(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = succeed(capsys, "train", "users_file.py", "--budget.epochs", 12, "--model.hidden", 12, "--out", "run", "--no-report")
    assert "Next: dendrix evaluate run --trust users_file.py" in said
    recipe = json.loads((folder / "run" / "run.json").read_text())["recipe"]
    assert (recipe["model"], recipe["data"]) == ({"hidden": 12}, {"name": "users_file:Bumps", "count": 60})
    assert "class that is trusted" in refuse(capsys, 1, "evaluate", "run")
    scores = json.loads(succeed(capsys, "evaluate", "run", "--trust", "users_file.py", "--json"))
    assert sum(map(sum, scores["confusion"])) == 30
    x, y, lengths = bumps(200, 7)
    np.savez("more.npz", x=x, y=y, lengths=lengths, dt_ms=10.0)
    assert "of 200 inputs" in succeed(capsys, "evaluate", "run", "--data", "more.npz", "--trust", "users_file.py")
    succeed(capsys, "exits", "record", "run", "--data", "more.npz", "--out", "record.npz", "--trust", "users_file.py")
    succeed(capsys, "exits", "fit", "record.npz", "--goal", "guarantee", "--eps", 0.1, "--fallback", "--out", "policy.json")
    succeed(capsys, "exits", "report", "policy.json", "record.npz")
    assert "firing rate" in succeed(capsys, "energy", "run", "more.npz", "--trust", "users_file.py")
    succeed(capsys, "report", "run", "--data", "more.npz", "--trust", "users_file.py")
    assert "of 200 validation items" in (folder / "run" / "report.html").read_text()


def test_a_cnn_of_a_file_is_trained_converted_audited_and_stopped(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trust = ("--trust", "users_file.py")
    succeed(capsys, "train", "users_file.py:images", "--data.root", pictures, "--out", "run", "--no-report")
    said = succeed(capsys, "convert", "run", "--T", 4, "--inputs", 16, *trust)
    assert "Audit" in said
    record = json.loads(Path("run-spikes/run.json").read_text())["conversion"]
    assert {entry["path"] for entry in record["audit"]} >= {"features.2"}
    assert "expected a network with outputs after every step" in refuse(capsys, 1, "exits", "record", "run", "--out", "r.npz", *trust)
    succeed(capsys, "exits", "record", "run-spikes", "--out", "r.npz", *trust)
    succeed(capsys, "exits", "fit", "r.npz", "--out", "policy.json")
    one = next((pictures / "dark").iterdir())
    answers = json.loads(succeed(capsys, "exits", "run", "policy.json", "run-spikes", one, "--json", *trust))
    assert answers[0]["of"] == 4
    assert json.loads(succeed(capsys, "predict", "run-spikes", one, "--json", *trust))[0]["label"] in ("bright", "dark")
    assert "of 40 inputs" in succeed(capsys, "evaluate", "run-spikes", "--data", pictures, *trust)


def test_a_network_with_weights_is_converted(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    safetensors.torch.save_file(cnn().state_dict(), "net.safetensors")
    words = ("convert", "users_file.py:cnn", "--weights", "net.safetensors", "--images", pictures, "--side", 8, "--T", 4, "--inputs", 16)
    assert "Add --calibrate channel" in refuse(capsys, 1, *words)
    said = succeed(capsys, *words, "--calibrate", "channel", "--out", "spikes")
    assert "Next: dendrix exits record spikes --out valid.npz --trust users_file.py" in said
    succeed(capsys, "evaluate", "spikes", "--trust", "users_file.py")
    assert "class that is trusted" in refuse(capsys, 1, "evaluate", "spikes")


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("def recipe(:", "bad.py", "bad.py, line 1: expected a Python file that can be imported, got SyntaxError"),
        ("x = 1", "bad.py", "bad.py: expected a function 'recipe' that returns the recipe, found none"),
        ("def recipe(): return 3", "bad.py", "bad.py: expected a function that returns a recipe, got int"),
        (None, "absent.py", "expected a Python file, but it does not exist"),
    ],
)
def test_bad_recipe_files_are_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str | None, name: str, message: str
) -> None:
    if text is not None:
        Path(name).write_text(text)
    error = "".join(refuse(capsys, code, "train", name, "--out", "run") for code in ([1] if text is None else [2]))
    assert message in error
    assert not (folder / "run").exists()


def test_sweep_is_resumed_and_refuses_unknown_fields(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna", reason="needs optuna: pip install dendrix[sweep]")
    words = ("sweep", "users_file.py", "--space", "optim.lr=1e-3..1e-1:log", "model.hidden=4,8", "--out", "sweep", "--json", "--trials")
    first = json.loads(succeed(capsys, *words, 2))
    assert [line["state"] for line in first] == ["complete"] * 2
    again = json.loads(succeed(capsys, *words, 3))
    assert {line["number"] for line in again} == {0, 1, 2}
    assert again == sorted(again, key=lambda line: -line["value"])
    assert (folder / "sweep" / "sweep.png").stat().st_size > 1000
    assert json.loads((folder / "sweep" / "sweep.json").read_text())["trials"] == again
    unknown = ("sweep", "users_file.py", "--space", "optim.lrr=1..2", "--out", "other")
    assert "optim.lrr: expected a field of the recipe, got 'lrr'. Did you mean 'lr'?" in refuse(capsys, 1, *unknown)
    storage = ("--storage", "sqlite:////no/such/folder/x.db", "--out", "other")
    assert "storage: expected a database that can be reached" in refuse(
        capsys, 1, "sweep", "users_file.py", "--space", "seed=1,2", *storage
    )
    assert not (folder / "other").exists()
