"""`dendrix nir` and `dendrix export`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dendrix
from dendrix.cli import main
from dendrix.exchange import from_nir, read_graph, to_nir, write_nir
from dendrix.exchange.metadata import facts_of
from dendrix.layers import Sequential
from dendrix.neurons import LIF
from support.nir_graphs import chain_graph


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A graph without metadata."""
    write_nir(chain_graph("LIF", r=10.0), tmp_path / "net.nir")
    return tmp_path / "net.nir"


def test_check_shows_the_graph_and_what_it_leaves_open(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nir", "check", str(file)]) == 0
    told = capsys.readouterr().out
    assert "input → affine → neuron → output" in told
    assert "Open: the time step" in told


def test_check_compares_dialects(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nir", "check", str(file), "--dt-ms", "1", "--steps", "30"]) == 0
    told = capsys.readouterr().out
    assert "reference: nir" in told
    assert "spyx" in told


def test_check_on_data_as_json(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((2, 12, 3), np.float32))
    assert main(["nir", "check", str(file), "--dt-ms", "1", "--data", str(tmp_path / "x.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["compared"]["rows"], found["compared"]["steps"]) == (2, 12)
    assert found["nodes"]["neuron"] == {
        "type": "LIF",
        "shapes": {name: [4] for name in ("tau", "r", "v_leak", "v_threshold", "v_reset")},
    }
    (tmp_path / "x.npy").write_bytes(b"nothing")
    assert main(["nir", "check", str(file), "--dt-ms", "1", "--data", str(tmp_path / "x.npy")]) == 1
    assert "expected an .npy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--steps", "-1"], "steps: expected a whole number in [1, inf), got -1"),
        (["--rows", "0"], "rows: expected a whole number in [1, inf), got 0"),
        (["--seed", "99999999999999999999"], "seed: expected a whole number in [0, 4294967295]"),
        ([np.full((1, 5, 3), np.nan)], "x: expected finite numbers"),
        ([np.full((1, 5, 3), np.inf)], "x: expected finite numbers"),
        ([np.full((1, 5, 3), 1j)], "expected real numbers, got torch.complex128"),
        ([np.full((1, 5, 3), "a")], "expected arrays of numbers"),
        ([np.array([None])], "it contains Python objects"),
        ([np.ones((1, 5, 4))], "x: expected [B, T, 3], got [1, 5, 4]"),
        ([np.ones((0, 5, 3))], "x: expected [B, T, ...], got [0, 5, 3]"),
    ],
)
def test_bad_input_of_check_is_one_sentence(
    words: list[str | np.ndarray], says: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if isinstance(words[0], np.ndarray):
        np.save(tmp_path / "x.npy", words[0])
        words = ["--data", str(tmp_path / "x.npy")]
    assert main(["nir", "check", str(file), "--dt-ms", "1", *map(str, words)]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_a_file_becomes_a_run_and_goes_out_again(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, again = tmp_path / "runs" / "net", tmp_path / "again.nir"
    assert main(["nir", "import", str(file), "--dt-ms", "1", "--out", str(run)]) == 0
    assert sorted(path.name for path in run.iterdir()) == ["config.json", "graph.nir", "model.safetensors"]
    network = dendrix.load(run)
    x = torch.rand(2, 20, 3)
    assert torch.equal(network(x)[0], from_nir(file, 1.0)(x)[0])
    assert main(["export", str(run), "--to", "nir", "--out", str(again)]) == 0
    assert "Wrote" in capsys.readouterr().out
    assert torch.equal(from_nir(again)(x)[0], network(x)[0])


def test_a_failed_import_leaves_nothing(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main(["nir", "import", str(file), "--out", str(run)]) == 1
    assert "dt_ms: expected the time step" in capsys.readouterr().err
    assert main(["nir", "import", str(file), "--dt-ms", "1", "--dialect", "nors", "--out", str(run)]) == 1
    assert "Did you mean 'norse'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["net.nir"]
    run.mkdir()
    assert main(["nir", "import", str(file), "--dt-ms", "1", "--out", str(run)]) == 1
    assert "but it exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda content: b"a graph", "expected an HDF5 file"),
        (lambda content: content[: len(content) // 2], "expected an HDF5 file"),
        (lambda content: content.replace(b"LIF", b"Lif"), "expected a node type of NIR, got 'Lif'"),
    ],
)
def test_a_damaged_file_leaves_nothing_behind(
    damage: Any, why: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_bytes(damage(file.read_bytes()))
    assert main(["nir", "import", str(file), "--dt-ms", "1", "--out", str(tmp_path / "run")]) == 1
    told = capsys.readouterr().err
    assert why in told
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert main(["nir", "check", str(file), "--dt-ms", "1"]) == 1


def test_the_shipped_network_goes_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "fsdd", "--to", "nir", "--out", str(tmp_path / "fsdd.nir"), "--licence", "CC-BY-SA-4.0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["nodes"] > 10
    assert from_nir(tmp_path / "fsdd.nir").config.outputs == 10
    told = facts_of(read_graph(tmp_path / "fsdd.nir"))
    assert (told["licence"], told["recipe"], told["validation_accuracy"]) == ("CC-BY-SA-4.0", "fsdd-delays", 0.992)
    assert len(told["classes"]) == 10


@pytest.mark.slow
def test_onnx_comes_with_a_page(tmp_path: Path) -> None:
    dendrix.save(Sequential(LIF(3, dt_ms=1.0)), tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "--to", "onnx", "--out", str(tmp_path / "net.onnx")]) == 0
    assert "onnxruntime.InferenceSession" in (tmp_path / "net.md").read_text()


def test_the_page_of_a_model_takes_no_name_that_is_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dendrix.save(Sequential(torch.nn.Linear(3, 4), LIF(4)), tmp_path / "run")
    (tmp_path / "mine.md").write_text("mine")
    (tmp_path / "null.onnx").symlink_to("/dev/null")
    for name, says in (("net.md", "its page in Markdown takes it"), ("mine.onnx", "mine.md: expected this name to be free")):
        assert main(["export", str(tmp_path / "run"), "--to", "onnx", "--out", str(tmp_path / name)]) == 1
        assert says in capsys.readouterr().err
    assert main(["export", str(tmp_path / "run"), "--to", "onnx", "--out", str(tmp_path / "null.onnx")]) == 0
    assert (tmp_path / "mine.md").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.md", "null.onnx", "run"]


def test_an_unknown_target_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "fsdd", "--to", "onx", "--out", str(tmp_path / "x")]) == 2
    assert "Expected one of" in capsys.readouterr().err


def test_an_exported_file_knows_its_time_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to_nir(Sequential(LIF(3, 10.0, 2.0)), tmp_path / "net.nir")
    assert main(["nir", "check", str(tmp_path / "net.nir"), "--steps", "10"]) == 0
    assert "steps of 2 ms; reference: dendrix" in capsys.readouterr().out
