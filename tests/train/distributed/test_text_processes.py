"""Two processes train a language model as one does, whether each holds all parameters (DDP) or a share of them (FSDP2)."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from support.processes import run_python
from support.two_text_processes import RUNS, recipe, train


def trained(folder: Path, *names: str) -> Path:
    (folder / "text.txt").write_text("the spikes of the rain in spain\n" * 400)
    done = run_python("-m", "support.two_text_processes", folder, *names, DENDRIX_CACHE=folder / "cache")
    assert done.returncode == 0, done.stderr
    ends = done.stdout.splitlines()
    assert ends[0] == "[0]", done.stderr
    assert set(ends[1:]) == {"[0, 0]"}, done.stderr
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them."""
    return trained(tmp_path_factory.mktemp("processes"), *RUNS)


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def expect_equal(folder: Path, name: str) -> None:
    one, two = (load_file(folder / run / "model.safetensors") for run in ("one", name))
    assert one.keys() == two.keys()
    for parameter, expected in one.items():
        torch.testing.assert_close(two[parameter], expected, rtol=0, atol=1e-4, msg=lambda text, where=parameter: f"{where}: {text}")
    for line, expected in zip(metrics(folder / name), metrics(folder / "one"), strict=True):
        for measure in ("step", "loss", "gradient_norm", "valid_loss", "valid_accuracy"):
            assert line[measure] == pytest.approx(expected[measure], rel=1e-4)


@pytest.mark.extended  # sequences are trained in two processes by default: tests/integration/test_distributed.py
def test_two_with_shares_learn_what_one_learns(tmp_path: Path) -> None:
    expect_equal(trained(tmp_path, "one", "shared"), "shared")


@pytest.mark.extended
@pytest.mark.parametrize("name", ["two", "parts"])
def test_two_learn_what_one_learns(runs: Path, name: str) -> None:
    expect_equal(runs, name)


@pytest.mark.extended
def test_shares_are_saved_as_the_same_folder(runs: Path) -> None:
    from dendrix.models.spikegpt.hf_files import load_language_model

    names = [sorted(file.name for file in (runs / run).iterdir() if file.name != "run.json") for run in ("one", "shared")]
    assert names[0] == names[1]
    model, _ = load_language_model(runs / "shared")
    assert model(torch.tensor([[1, 2, 3]])).logits.isfinite().all()


@pytest.mark.extended
def test_shares_resume_to_the_same_last_bit(runs: Path) -> None:
    whole, cut = ((runs / run / "model.safetensors").read_bytes() for run in ("shared", "cut"))
    assert whole == cut


@pytest.mark.extended
def test_each_process_holds_about_half(runs: Path) -> None:
    held = [[int(number) for number in (runs / f"shares-{rank}").read_text().split()] for rank in range(2)]
    (parameters, moments, whole), (other, _, _) = held
    assert parameters + other == whole
    assert 0.45 < parameters / whole < 0.55
    assert moments == 2 * parameters


@pytest.mark.extended
def test_bfloat16_products_leave_shares_in_float32(runs: Path) -> None:
    half, full = (load_file(runs / run / "model.safetensors") for run in ("half", "shared"))
    assert all(tensor.dtype == torch.float32 for tensor in half.values())
    assert any(not torch.equal(half[name], full[name]) for name in full)
    assert metrics(runs / "half")[-1]["valid_loss"] == pytest.approx(metrics(runs / "shared")[-1]["valid_loss"], rel=0.02)


def test_one_process_has_nobody_to_share_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("rain " * 2000)
    with pytest.raises(ValueError, match="shard: expected several processes"):
        train(tmp_path, "alone", shard=True)
    with pytest.raises(ValueError, match="accumulate: expected a divisor"):
        replace(recipe(tmp_path).budget, accumulate=3)
