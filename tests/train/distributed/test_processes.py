"""Two processes on the loopback device learn what one learns, and end together; matrix products in bfloat16 leave states alone."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from dendrix.data import Splits
from dendrix.data.base import ShuffledBatches
from dendrix.models import Decision
from dendrix.neurons import Neuron
from dendrix.train.command import TrainRun, train_run
from dendrix.train.distributed.processes import Share, expect_enough
from dendrix.train.sequence.recipe import SequenceRecipe
from support.kill_often import recipe as small
from support.processes import run_python

DEAD = "RuntimeError: processes: expected all to keep training, but another one has ended. Start them again with --resume."


@pytest.fixture
def recipe(tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SequenceRecipe:
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    return small(tones, epochs=2)


def test_shares_are_disjoint_and_make_up_every_batch() -> None:
    order = ShuffledBatches(range(1, 24), 5, seed=1)
    shares = [list(Share(order, index, 3)) for index in range(3)]
    assert len(Share(order, 0, 3)) == len(shares[0]) == 5
    for batch, *parts in zip(order, *shares, strict=True):
        assert sorted(item for part in parts for item in part) == sorted(batch)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_process_without_an_item_is_refused(recipe: SequenceRecipe) -> None:
    splits: Splits = recipe.data.load()
    count = len(splits.train)
    expect_enough(recipe.budget.batch_size, splits, 2)
    with pytest.raises(ValueError, match="batch_size: expected every batch to have an item for each of 2 processes, got 1"):
        expect_enough(count - 1, splits, 2)
    with pytest.raises(ValueError, match="valid: expected it to have an item for each of 11 processes, got 10"):
        expect_enough(count, splits, 11)


@pytest.mark.parametrize("dies", [[1], pytest.param([0, 1], marks=pytest.mark.extended)], ids=str)
def test_two_processes_learn_what_one_learns_and_one_that_dies_ends_both(tones: Path, tmp_path: Path, dies: list[int]) -> None:
    done = run_python("-m", "support.two_processes", tones, tmp_path, *dies, DENDRIX_CACHE=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[0]", "[0, 0]", *[DEAD, f"[1, {-signal.SIGKILL}]"] * len(dies)]

    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")
    assert any(not torch.equal(one[name], two[name]) for name in one)  # sums in another order: there were two
    ours, theirs = ([json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()] for name in ("two", "one"))
    for line, expected in zip(ours, theirs, strict=True):
        for measure in ("loss", "gradient_norm", "valid_loss", "train_accuracy", "valid_accuracy"):
            assert line[measure] == pytest.approx(expected[measure], rel=1e-5)
        assert line["health"] == {layer: pytest.approx(shares) for layer, shares in expected["health"].items()}

    assert not (tmp_path / "dies-0").exists()
    assert sorted(path.name for path in (tmp_path / "dies-1").iterdir()) == [
        "config.json", "metrics.jsonl", "model.safetensors", "resume-00001.safetensors", "run.json",
    ]  # fmt: skip


@pytest.mark.extended
def test_torchrun_starts_the_command(tones: Path, tmp_path: Path) -> None:
    options = "--data.encoder.n-mels 8 --model.inputs 8 --model.hidden 12 --budget.batch-size 10 --budget.epochs 1 --json"
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "dendrix"]
    command = [*torchrun, "train", "fsdd-delays", *options.split(), "--data.root", tones, "--out", tmp_path / "run"]
    done = run_python(*command, DENDRIX_CACHE=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["progress"]["stopped"] == "finished"  # one process prints
    assert json.loads((tmp_path / "run" / "run.json").read_text())["progress"]["epoch"] == 1


def test_evidence_is_summed_in_float32() -> None:
    x = torch.ones(1, 1000, 2, dtype=torch.bfloat16)
    evidence = Decision("sum").evidence(nn.Identity(), x)
    assert evidence.dtype == torch.float32
    assert evidence[0, -1].tolist() == [1000, 1000]


def test_bfloat16_keeps_states_and_parameters_in_float32(recipe: SequenceRecipe, tmp_path: Path) -> None:
    products, states = set(), set()

    def look(module: torch.nn.Module, inputs: tuple, result: tuple) -> None:
        if isinstance(module, Neuron) and module.training:
            products.add(inputs[0].dtype)
            states.update(part.dtype for part in result[1])

    brief = replace(recipe, budget=replace(recipe.budget, epochs=1, precision="bf16"), model=replace(recipe.model, granularity="axonal"))
    with register_module_forward_hook(look):
        record, folder = train_run(TrainRun(brief, tmp_path / "run", json=True), "tones")
    assert products == {torch.bfloat16}
    assert states == {torch.float32}
    assert record["recipe"]["budget"]["precision"] == "bf16"
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in load_file(folder / "model.safetensors").values())
