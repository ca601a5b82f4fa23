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
from dendrix.train import fit
from support.own_nets import CLASSES, Net, bumps, cnn
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
    answers = json.loads(succeed(capsys, "exits", "run", "run-spikes", one, "--policy", "policy.json", "--json", *trust))
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
    Path("bad.py").write_text("def cnn(): return 1 / 0")
    bad = ("convert", "bad.py:cnn", *words[2:])
    assert "bad.py:cnn: expected a function that returns the network, got ZeroDivisionError" in refuse(capsys, 1, *bad)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("def recipe(:", "bad.py", "bad.py, line 1: expected a Python file that can be imported, got SyntaxError"),
        ("x = 1", "bad.py", "bad.py: expected a function 'recipe' that returns the recipe, found none"),
        ("def recipe(): return 3", "bad.py", "bad.py: expected a function that returns a recipe, got int"),
        ("import sys; sys.exit(3)", "bad.py", "bad.py: expected a Python file that can be imported, got SystemExit: 3."),
        ("def recipe(x): ...", "bad.py", "bad.py: expected a function 'recipe' that returns the recipe, got TypeError: recipe() missing"),
        ("def recipe(): return 1 / 0", "bad.py", "returns the recipe, got ZeroDivisionError: division by zero. Call it yourself"),
        ("def recipe(): raise SystemExit(3)", "bad.py", "returns the recipe, got SystemExit: 3."),
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


PARTS = """
from dataclasses import dataclass, replace
from torch import nn
import users_file

@dataclass(frozen=True)
class Part:
    size: {kind} = 3

    def build(self):
        {build}

    def load(self):
        {load}

    def to_dict(self):
        return {{"name": "bad:Part"}}

def recipe():
    return replace(users_file.recipe(), {field}=Part())
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(build="raise KeyError('a')"), "model: expected build() to return a network, got KeyError: 'a'. Mend the configuration"),
        (dict(build="return 3"), "network: expected a torch.nn.Module"),
        (dict(build="return nn.Linear(4, 5)"), "network: expected outputs [4, 30, 3]"),
        (dict(kind="'absent'"), "bad.py: expected fields whose types can be read, got NameError: name 'absent' is not defined."),
        (dict(field="data", load="raise KeyError('a')"), "data: expected load() to return the splits, got KeyError: 'a'."),
        (dict(field="data", load="return 3"), "data: expected load() to return dendrix.data.Splits, got int"),
    ],
)
def test_bad_parts_of_a_recipe_are_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], message: str
) -> None:
    fine = dict(field="model", kind="int", build="return users_file.Net()", load="return users_file.Bumps().load()")
    Path("bad.py").write_text(PARTS.format(**{**fine, **change}))
    assert message in refuse(capsys, 1, "train", "bad.py", "--out", "run")
    assert not (folder / "run").exists()


def test_sweep_is_resumed_over_the_same_space(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna", reason="needs optuna: pip install dendrix[sweep]")
    words = ("sweep", "users_file.py", "--space", "optim.lr=1e-3..1e-1:log", "model.hidden=4,8", "--out", "sweep", "--json", "--trials")
    first = json.loads(succeed(capsys, *words, 2))
    assert [line["state"] for line in first] == ["complete"] * 2
    again = json.loads(succeed(capsys, *words, 3))
    assert {line["number"] for line in again} == {0, 1, 2}
    assert again == sorted(again, key=lambda line: -line["value"])
    assert (folder / "sweep" / "sweep.png").stat().st_size > 1000
    assert json.loads((folder / "sweep" / "sweep.json").read_text())["trials"] == again
    other = ("sweep", "users_file.py", "--space", "optim.lr=1e-3..1e-2", "--out", "sweep")
    assert "space: expected that of the existing sweep 'users_file', over optim.lr, model.hidden" in refuse(capsys, 1, *other)
    assert json.loads((folder / "sweep" / "sweep.json").read_text())["trials"] == again


def test_a_trial_that_diverges_does_not_end_the_sweep(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna", reason="needs optuna: pip install dendrix[sweep]")
    words = ("sweep", "users_file.py", "--json", "--trials", 3, "--space", "optim.clip=none")
    found = json.loads(succeed(capsys, *words, "optim.lr=1e30,0.01", "--out", "sweep"))
    assert {(line["optim.lr"], line["state"]) for line in found} == {(0.01, "complete"), (1e30, "pruned")}
    assert all((line["value"] is None) == (line["state"] == "pruned") for line in found)
    kept = {path.name for path in (folder / "sweep" / "runs").iterdir()}
    assert kept == {str(line["number"]) for line in found if line["value"] is not None}
    all_of_them = refuse(capsys, 1, *words, "optim.lr=1e30", "--out", "wild")
    assert "wild: expected at least one trial with a result, but all 3 diverged. Lower the learning rates." in all_of_them


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--space", "optim.lrr=1..2"), "optim.lrr: expected a field of the recipe, got 'lrr'. Did you mean 'lr'?"),
        (("--space", "optim.lr"), "space: expected FIELD=LOW..HIGH"),
        (("--space", "optim.lr=2..1"), "space: expected an interval such as 1e-4..1e-1:log, low before high"),
        (("--space", "optim.lr=0..1:log"), "A logarithm needs low above 0"),
        (("--space", "optim.lr=0..inf"), "lr: expected a number in [0, inf), got inf"),
        (("--space", "optim.lr=1,,2"), "optim.lr: expected a value like 0.02, got ''"),
        (("--space", "early=0.5..3"), "early: expected a number in [0, 1], got 3.0"),
        (("--space", "model.hidden=4..1e9"), "model.hidden: expected a value like 16, got 1000000000.0"),
        (("--space", "budget.precision=float32,fp8"), "precision: expected one of bf16, float32, got 'fp8'"),
        (("--space", "seed=1,2", "seed=3,4"), "space: expected each field once, got seed twice"),
        (("--space", "sed=1,2", "--jobs", 2), "sed: expected a field of the recipe"),
        (("--space", "seed=1,2", "--seed", -1), "seed: expected a whole number"),
        (("--space", "data.count=0"), "x: expected at least one sequence"),  # refused by its first trial
        (("--space", "seed=1,2", "--trials", 0), "trials: expected a whole number"),
        (("--space", "seed=1,2", "--storage", "sqlite:////no/such/folder/x.db"), "storage: expected a database that can be reached"),
        (("--space", "seed=1,2", "--storage", "sqlite:///users_file.py"), "storage: expected a database that can be reached"),
        (("--space", "seed=1,2", "--storage", "mysql://127.0.0.1:1/x"), "storage: expected a database that can be reached"),
        (("--space", "seed=1,2", "--storage", ""), "storage: expected a database that can be reached"),
        (("--space", "seed=1,2", "--storage", "sqlite://"), "storage: expected a database that outlives this process"),
    ],
)
def test_bad_sweeps_are_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[object, ...], message: str) -> None:
    pytest.importorskip("optuna", reason="needs optuna: pip install dendrix[sweep]")
    assert message in refuse(capsys, 1, "sweep", "users_file.py", "--out", "sweep", *options)
    assert not (folder / "sweep").exists()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `Net`, hardly trained."""
    folder = tmp_path_factory.mktemp("own") / "run"
    fit(Net(), bumps(40, 0), folder=folder, labels=CLASSES, dt_ms=10.0, epochs=1, quiet=True)
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(x=np.full((4, 30, 4), np.nan)), "x, item 0: expected finite numbers, got nan at index [0, 0]"),
        (dict(x=np.zeros((4, 30, 3))), "x: expected [B, T, C=4], got [4, 30, 3]"),
        (dict(x=np.zeros((4, 4))), "x, item 0: expected [T, C], got [4]"),
        (dict(x=np.zeros((0, 30, 4)), y=[]), "y: expected the class of at least one item, got none"),
        (dict(x=np.full((4, 30, 4), "a")), "x, item 0: expected arrays of numbers"),
        (dict(y=[0, 1, 2, 3]), "y: expected classes 0 to 2, one for each label, got 0 to 3"),
        (dict(y=[0, 1, 2]), "y: expected a class for each of 4 items of x, got 3"),
        (dict(y=[0, 1, 2, 0.5]), "y: expected whole numbers or names of classes, got 0.5"),
        (dict(y=["early", "middle", "late", "never"]), "y: expected classes of early, middle, late, got 'never'"),
        (dict(lengths=[30, 30, 30, 31]), "lengths: expected a whole number in [1, 30], got 31"),
        (dict(dt_ms=[1.0, 2.0]), "dt_ms: expected a number in (0, inf), got [1.0, 2.0]"),
        (dict(labels="early"), "labels: expected a list of the names of all classes, got 'early'"),
        (dict(labels=["a", "b", "c"]), "expected the classes of the network, early, middle, late, got a, b, c"),
    ],
)
def test_bad_data_for_a_run_are_one_sentence(
    capsys: pytest.CaptureFixture[str], change: dict[str, object], message: str, run: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "data.npz", **{"x": np.zeros((4, 30, 4), np.float32), "y": [0, 1, 2, 0], **change})
    assert message in refuse(capsys, 1, "evaluate", run, "--data", tmp_path / "data.npz", "--trust", FILE)


def test_classes_of_a_file_are_those_that_it_names(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, y, lengths = bumps(60, 3)
    np.savez(tmp_path / "same.npz", x=x, y=y, lengths=lengths)
    np.savez(tmp_path / "other.npz", x=x, y=2 - y, lengths=lengths, labels=["late", "middle", "early"])
    found = [
        json.loads(succeed(capsys, "evaluate", run, "--data", tmp_path / name, "--trust", FILE, "--json"))["confusion"]
        for name in ("same.npz", "other.npz")
    ]
    assert found[0] == found[1]
