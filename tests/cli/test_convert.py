"""`dendrix convert`: from an image run to a spiking run that evaluate, predict, report and exits take like any other."""

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import safetensors.torch
import torch

from dendrix.cli import main
from dendrix.cli.convert import MaxPoolName, NeuronName
from dendrix.convert import MaxPool, NeuronKind
from dendrix.core.files import read_json, write_json
from dendrix.exits import ExitRecord
from dendrix.models import DelayNet, DelayNetConfig, VGGConfig
from dendrix.run_folder.checkpoint import Checkpoint, write_checkpoint
from support.image_runs import CLASSES, write_run
from support.picture_files import coloured, encoded, write_binary


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with CIFAR-10 in small, runs of a QCFS and a ReLU network, the first one converted, and a picture."""
    folder = tmp_path_factory.mktemp("convert")
    data = folder / "data"
    data.mkdir()
    write_binary(data)
    write_run(folder / "qcfs", data, VGGConfig(stages=((4,), (6,)), threshold=1.0))
    write_run(folder / "relu", data, VGGConfig(stages=((4,), (6,)), activation="relu", pool="max"))
    (folder / "picture.png").write_bytes(encoded(coloured(10)[0][3]))
    assert main(["convert", str(folder / "qcfs"), "--T", "4", "--json"]) == 0
    return folder


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Any:
    """The JSON that a command prints, and what it says on stderr."""
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err


def refusal(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """The one sentence of a command that must fail, and print nothing else."""
    capsys.readouterr()
    assert main(list(map(str, words))) in (1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_options_have_the_names_of_the_library() -> None:
    assert get_args(NeuronName) == get_args(NeuronKind)
    assert get_args(MaxPoolName) == get_args(MaxPool)


def test_a_converted_run_says_what_it_came_from_and_what_it_cost(work: Path) -> None:
    found = read_json(work / "qcfs-spikes" / "run.json")["conversion"]
    assert [entry["path"] for entry in found["audit"] if entry["action"] == "replaced"] == ["features.2", "features.6"]
    assert [layer["path"] for layer in found["layers"]] == ["features.2", "features.6"]
    assert len(found["accuracy"]) == found["steps"] == 4
    assert found["original_accuracy"] == found["ann_accuracy"]
    assert found["accuracy"][-1] > 0.3
    assert found["compared_on"] == {"split": "valid", "images": 20}
    assert {"accuracy.png", "layers.png", "config.json", "model.safetensors"} <= {path.name for path in (work / "qcfs-spikes").iterdir()}


def test_tables_show_every_layer(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(work / "qcfs"), "--steps", "2", "--neuron", "if", "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("features.2", "QCFS", "IF", "folded", "original", "20 validation images"))


def test_evaluate_scores_the_last_step_of_the_comparison(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores, _ = said(capsys, "evaluate", work / "qcfs-spikes", "--split", "valid")
    found = read_json(work / "qcfs-spikes" / "run.json")["conversion"]
    assert scores["accuracy_over_time"] == pytest.approx(found["accuracy"])
    assert scores["accuracy"] == pytest.approx(found["accuracy"][-1])


def test_a_relu_network_is_calibrated_on_training_images(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "relu-spikes"
    options = ("--calibrate", "channel", "--max-pool", "spiking", "--T", "32", "--out", out)
    record, _ = said(capsys, "convert", work / "relu", *options)
    assert record["conversion"]["calibrate"] == "channel"
    scores, _ = said(capsys, "evaluate", out, "--split", "valid")
    assert scores["accuracy"] == pytest.approx(record["conversion"]["accuracy"][-1])


def test_pictures_are_predicted_before_and_after_conversion(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for run in ("qcfs", "qcfs-spikes"):
        (answer,), err = said(capsys, "predict", work / run, work / "picture.png")
        assert answer["label"] in CLASSES
        assert sum(said(capsys, "predict", work / run, work / "picture.png", "--top", "10")[0][0]["top"].values()) == pytest.approx(
            1, abs=1e-4
        )
        assert err == ""


def test_pictures_of_other_sizes_and_greys_are_taken_with_a_note(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large, grey = tmp_path / "large.jpg", tmp_path / "grey.png"
    large.write_bytes(encoded(coloured(1, side=80)[0][0], "JPEG"))
    grey.write_bytes(encoded(coloured(1)[0][0, 0]))
    answers, err = said(capsys, "predict", work / "qcfs-spikes", large, grey)
    assert [answer["file"] for answer in answers] == [str(large), str(grey)]
    assert f"{large} has 80 x 80 pixels; its centre was scaled to 32 x 32." in err
    assert f"{grey} is grey" in err


def test_exits_stop_a_converted_network_early(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, policy = tmp_path / "test.npz", tmp_path / "policy.json"
    recorded, _ = said(capsys, "exits", "record", work / "qcfs-spikes", "--split", "test", "--out", record)
    assert (recorded["inputs"], recorded["steps"], recorded["dt_ms"]) == (20, 4, None)
    assert ExitRecord.load(record).right()[:, -1].double().mean() == said(capsys, "evaluate", work / "qcfs-spikes")[0]["accuracy"]
    said(capsys, "exits", "fit", record, "--out", policy, "--goal", "mean-steps", "--steps", "2", "--rule", "margin")
    (answer,), _ = said(capsys, "exits", "run", work / "qcfs-spikes", work / "picture.png", "--policy", policy)
    assert answer["label"] in CLASSES
    assert 1 <= answer["steps"] <= answer["of"] == 4
    said(capsys, "exits", "report", policy, record)
    assert "--T" not in refusal(capsys, "exits", "run", work / "qcfs", work / "picture.png", "--policy", policy)


def test_a_policy_is_for_as_many_steps_as_it_was_fitted_for(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, policy, other = tmp_path / "test.npz", tmp_path / "policy.json", tmp_path / "other"
    said(capsys, "exits", "record", work / "qcfs-spikes", "--split", "test", "--out", record)
    said(capsys, "exits", "fit", record, "--out", policy, "--rule", "margin")
    said(capsys, "convert", work / "qcfs", "--T", "2", "--out", other)
    assert "steps: expected 4" in refusal(capsys, "exits", "run", other, work / "picture.png", "--policy", policy)


def test_a_policy_is_for_the_neurons_it_was_fitted_for(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, policy, other = tmp_path / "record.npz", tmp_path / "policy.json", tmp_path / "other"
    said(capsys, "exits", "record", work / "qcfs-spikes", "--split", "test", "--out", record)
    said(capsys, "exits", "fit", record, "--out", policy, "--rule", "margin")
    said(capsys, "convert", work / "qcfs", "--T", "4", "--neuron", "if", "--out", other)
    assert "model: expected" in refusal(capsys, "exits", "run", other, work / "picture.png", "--policy", policy)


def test_a_converted_run_has_a_report(work: Path) -> None:
    assert main(["report", str(work / "qcfs-spikes")]) == 0
    assert "Confusion" in (work / "qcfs-spikes" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("convert {}/qcfs --T 0", "steps: expected a whole number in [1, 65536], got 0"),
        ("convert {}/qcfs --inputs 0", "inputs: expected a whole number in [1, inf), got 0"),
        ("convert {}/none", "expected a run folder"),
        ("convert {}/qcfs --out {}/qcfs", "but it exists"),
        ("convert {}/qcfs-spikes", "already converted"),
        ("convert {}/relu", "Add --calibrate channel"),
        ("convert {}/relu --calibrate channel", "choose max_pool='average' or 'spiking'"),
        ("convert {}/qcfs --calibrate layer", "Leave it out"),
        ("convert {}/qcfs --root {}/nowhere", "CIFAR-10: expected"),
        ("exits record {}/qcfs --out {}/new.npz", "Convert an image network first: dendrix convert"),
        ("predict {}/qcfs {}/none.png", "none.png"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    words: str, expected: str, work: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = sorted(work.iterdir())
    words = words.replace("{}", str(work))
    given = words.split()
    assert expected in refusal(capsys, *given, *(["--out", tmp_path / "out"] if given[0] == "convert" and "--out" not in given else []))
    assert sorted(work.iterdir()) == before
    assert not list(tmp_path.iterdir())


def test_a_network_of_sounds_is_not_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    write_checkpoint(tmp_path / "run", Checkpoint(DelayNet(DelayNetConfig(4, 2, (3,))), ("a", "b")))
    assert "expected the run of an image network, got DelayNet" in refusal(capsys, "convert", tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_weights_of_other_shapes_are_refused(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "run", work / "data", VGGConfig(stages=((4,), (6,))))
    config = read_json(tmp_path / "run" / "config.json")
    config["config"]["stages"] = [[4], [8]]
    write_json(tmp_path / "run" / "config.json", config)
    assert "expected the weights of config.json" in refusal(capsys, "convert", tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_thresholds_that_are_not_positive_are_refused(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(work / "qcfs-spikes", tmp_path / "run")
    weights = safetensors.torch.load_file(tmp_path / "run" / "model.safetensors")
    weights["network.body.features.6.v_threshold"].fill_(0)
    safetensors.torch.save_file(weights, tmp_path / "run" / "model.safetensors")
    assert "v_threshold: expected a number in (0, inf), got 0" in refusal(capsys, "predict", tmp_path / "run", work / "picture.png")


def test_a_damaged_picture_is_named(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes((work / "picture.png").read_bytes()[:60])
    assert f"{broken}: expected an image" in refusal(capsys, "predict", work / "qcfs-spikes", work / "picture.png", broken)


def test_a_run_given_as_a_dot_is_resolved_first(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(work / "qcfs", tmp_path / "runs" / "mine")
    monkeypatch.chdir(tmp_path / "runs" / "mine")
    record, _ = said(capsys, "convert", ".", "--T", "2", "--inputs", "5")
    assert Path(record["folder"]) == tmp_path / "runs" / "mine-spikes"
    assert record["name"] == "mine, converted"
    monkeypatch.chdir(tmp_path)
    record, _ = said(capsys, "convert", "runs/mine", "--T", "2", "--inputs", "5", "--out", "fsdd/../other")
    assert Path(record["folder"]) == tmp_path / "other"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "runs"]
    assert "expected a run folder" in refusal(capsys, "convert", "typo/mine")
    assert "expected a run folder" in refusal(capsys, "convert", "typo/../mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "runs"]


@pytest.mark.parametrize("option", ["--T 99999999999", "--side 99999999999"])
def test_numbers_of_a_slip_are_refused(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert "[1, 65536], got 99999999999" in refusal(capsys, "convert", work / "qcfs", *option.split(), "--out", tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_a_deep_line_of_metrics_is_one_sentence(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = shutil.copytree(work / "qcfs", tmp_path / "run")
    for line in ("[" * 100_000, '{"a":' * 100_000):
        (run / "metrics.jsonl").write_text(line)
        assert "metrics.jsonl, line 1: expected JSON, but it cannot be read" in refusal(capsys, "report", run)


def complex_matrices(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: x.to(torch.complex64) if x.dim() > 1 else x for name, x in weights.items()}


def negative_variances(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: -x if name.endswith("running_var") else x for name, x in weights.items()}


@pytest.mark.parametrize(
    ("change", "says"),
    [(complex_matrices, "whose imaginary part would be lost, are in "), (negative_variances, "a negative variance is in ")],
)
def test_weights_that_would_be_taken_in_silence_are_refused(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, says: str
) -> None:
    run = shutil.copytree(work / "qcfs", tmp_path / "run")
    weights = safetensors.torch.load_file(run / "model.safetensors")
    safetensors.torch.save_file(change(weights), run / "model.safetensors")
    message = refusal(capsys, "evaluate", run)
    assert "model.safetensors: expected the weights of config.json" in message
    assert says in message
