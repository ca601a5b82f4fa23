"""The conversion study: its figures and page, and that it measures what is trained, once."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dendrix.cli import main
from dendrix.core.files import read_json
from dendrix.exits import ExitRecord
from dendrix.models import VGGConfig
from dendrix.recipes import cifar10_qcfs_vgg_small as recipes
from dendrix.reproduce.studies import cifar10_conversion as study
from dendrix.reproduce.studies.cifar10_conversion import over_seeds, results
from dendrix.reproduce.studies.conversion_exits import BEST, SETTINGS, stopped_early
from dendrix.reproduce.studies.conversion_page import check, page
from dendrix.reproduce.studies.conversion_records import Measured, measure
from dendrix.reproduce.study import OUTCOME
from dendrix.run_folder.checkpoint import load_checkpoint
from dendrix.train.image.data import CifarData
from dendrix.train.image.recipe import ImageBudget
from support.paths import ROOT
from support.picture_files import write_binary


def synthetic(seed: int, count: int = 1200, steps: int = 32) -> Measured:
    """Images of which some are clear at once and others only later, and one more spike at every step."""
    noise = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (count,), generator=noise)
    clear = 2 * torch.rand(count, 1, 1, generator=noise)
    outputs = torch.randn(count, steps, 10, generator=noise) + clear * torch.eye(10)[labels].unsqueeze(1)
    spikes = torch.arange(1, steps + 1).expand(count, -1)
    return Measured(ExitRecord(outputs, labels, accumulation="sum"), spikes)


def test_figures_of_an_early_stop_add_up() -> None:
    test = synthetic(1).first(8)
    found = stopped_early(synthetic(0).first(8), test)
    assert list(found) == ["all steps", *SETTINGS, "oracle"]
    assert found["all steps"] == {"accuracy": test.accuracy()[-1], "steps": 8.0, "spikes": 36.0}
    for setting in SETTINGS:
        figures = found[setting]
        assert figures["drop"] == pytest.approx(found["all steps"]["accuracy"] - figures["accuracy"])
        assert figures["lost"] >= figures["drop"] - 1e-9
        assert figures["cut"] == pytest.approx(1 - figures["steps"] / 8)
        assert figures["spikes"] <= 36
    assert found["margin"]["steps"] < found["fixed steps"]["steps"]
    assert found["oracle"]["accuracy"] >= found["all steps"]["accuracy"]


def test_fixed_steps_lie_between_their_neighbours() -> None:
    test = synthetic(1).first(8)
    figures = stopped_early(synthetic(0).first(8), test)["margin"]
    low = int(figures["steps"])
    one, other = sorted((test.accuracy()[low - 1], test.accuracy()[low]))
    assert one <= figures["fixed_at_same_mean"] <= other


def test_means_and_deviations() -> None:
    assert over_seeds({0: {"a": 1.0}, 2: {"a": 3.0}}) == {
        "seeds": [0, 2],
        "a": {"mean": 2.0, "sd": pytest.approx(2**0.5), "values": [1.0, 3.0]},
    }
    assert over_seeds({1: {"a": 1.0}})["a"]["sd"] is None


def outcome(test: Measured, valid: Measured) -> study.Results:
    """Of a cell that converts."""
    return {
        "steps": study._by_steps(test),
        "valid": {str(steps): valid.accuracy()[steps - 1] for steps in study.LENGTHS},
        "stopped": {str(steps): stopped_early(valid.first(steps), test.first(steps)) for steps in study.LENGTHS},
    }


def test_the_page_has_every_figure() -> None:
    known: dict[study.Key, study.Results] = {("original", study.QCFS, seed): {"valid": 0.8, "test": 0.79} for seed in (0, 1)}
    known |= {("route", "qcfs-if", seed): outcome(synthetic(seed), synthetic(seed)) for seed in (0, 1)}
    known["route", "qcfs-signed", 0] = outcome(synthetic(2), synthetic(2))
    speed = {"route": "qcfs-if", "T": 8, "steps": 3.0, "ideal": 2.7, "ms_per_image": 3.1}
    speed |= {"wait": 1.0, "compact": 2.1, "refill": 2.2, "step by step": 0.9}
    known["speed", "qcfs-if", 8] = speed
    found = results(known)
    text = page(found)
    assert "QCFS, integrate-and-fire, T = 8" in text
    assert "79.0% ± 0.0 | 2" in text
    assert "| 8 | 3.00 | 2.70 | 1.00 | 2.10 | 2.20 | 0.90 | 3.1 |" in text
    assert text.count("| oracle |") == 4
    assert "| qcfs-if, T = 8 | speed-up at batch 64, at least 2 | 2.20 | reached |" in text
    lost = [value for one in found["stopped"] for rule in SETTINGS for value in one["settings"][rule]["lost"]["values"]]
    assert f"Of all 42 fitted rules (one per row, T, network and seed), {sum(value > 0.005 for value in lost)} lost" in text
    faster = [one for one in check(found) if one.says.startswith("speed-up")]
    assert [(one.computed, one.verdict, one.passed) for one in faster] == [(2.2, "reached", True)]


def test_the_page_of_the_docs_is_that_of_its_results_and_its_goals_can_be_missed() -> None:
    root = ROOT
    found = read_json(root / "benchmarks" / study.STUDY.results_file)
    assert (root / "docs" / study.STUDY.page_file).read_text() == page(found)
    assert all(one.passed for one in check(found))
    found["stopped"][0]["settings"][BEST]["lost"]["mean"] = 0.006
    found["stopped"][1]["settings"][BEST]["cut"]["mean"] = 0.4
    found["speeds"][0] |= {"compact": 1.5, "refill": 1.9}
    assert [one.says for one in check(found) if not one.passed] == [
        "lost because of the early exit, at most",
        "share of steps saved, at least",
        "speed-up at batch 64, at least",
    ]


def test_outcomes_give_the_results_of_the_docs() -> None:
    found = read_json(ROOT / "benchmarks" / study.STUDY.results_file)

    def of_seed(table: study.Results, i: int) -> study.Results:
        return {name: one["values"][i] for name, one in table.items() if name != "seeds"}

    known: dict[study.Key, study.Results] = {}
    for name, table in found["originals"].items():
        known |= {("original", name, seed): of_seed(table, i) for i, seed in enumerate(table["seeds"])}
    for name, table in found["routes"].items():
        valid = {str(one["T"]): one["accuracy"] for one in found["chosen"]["valid_accuracy"] if one["route"] == name}
        stopped = {str(one["T"]): one["settings"] for one in found["stopped"] if one["route"] == name}
        for i, seed in enumerate(table["seeds"]):
            exits = {steps: {setting: of_seed(one, i) for setting, one in each.items()} for steps, each in stopped.items()}
            known["route", name, seed] = {"steps": of_seed(table, i), "valid": valid, "stopped": exits}
    known |= {("speed", one["route"], one["T"]): one for one in found["speeds"]}
    assert results(known) == found


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few images, a network of a few channels, one seed, and our own conversions of the QCFS network."""
    write_binary(tmp_path, per_batch=10)
    recipe = recipes.recipe()
    tiny = dataclasses.replace(
        recipe,
        data=CifarData(held_out=20, root=tmp_path),
        model=VGGConfig(stages=((4,), (6,)), threshold=1.0),
        budget=ImageBudget(epochs=2, batch_size=10),
    )
    monkeypatch.setattr(recipes, "recipe", lambda: tiny)
    monkeypatch.setattr(study, "SEEDS", (0,))
    monkeypatch.setattr(study, "ROUTES", {name: study.ROUTES[name] for name in ("qcfs-if", "qcfs-signed")})
    return tmp_path / "out"


def test_the_command_measures_what_is_missing_once(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["reproduce", "cifar10-conversion", "--out", str(small), "--epochs", "1", "--json"]
    assert main(words) == 0
    assert {one["passed"] for one in json.loads(capsys.readouterr().out)} == {None}
    found = read_json(small / study.STUDY.results_file)
    assert list(found["originals"]) == [study.QCFS, study.RELU]
    assert list(found["routes"]) == ["qcfs-if", "qcfs-signed"]
    assert [one["T"] for one in found["speeds"]] == [8, 16, 8, 16]
    assert BEST in (small / study.STUDY.page_file).read_text()
    assert len(list((small / "images").iterdir())) == 2
    made = {path: path.stat().st_mtime_ns for pattern in ("records/*", f"runs/*/{OUTCOME}") for path in small.glob(pattern)}
    assert len(made) == 4 + 2 + 2 + 4
    (small / "runs" / "qcfs-if-0" / OUTCOME).unlink()
    assert main(words) == 0
    assert {path for path, time in made.items() if path.stat().st_mtime_ns != time} == {small / "runs" / "qcfs-if-0" / OUTCOME}
    assert read_json(small / study.STUDY.results_file) == found
    spikes_are_those_of_all_layers(small)


def spikes_are_those_of_all_layers(folder: Path) -> None:
    model, data = study.converted("qcfs-signed", 0, folder), study._images(study.QCFS).test
    measured = measure(model, data, 4)
    seen: list[Tensor] = []
    for path in model.network.layers:
        model.network.body.get_submodule(path).register_forward_hook(lambda layer, args, given: seen.append(given[0]))
    outputs, _ = model(model.encode(data.take(torch.arange(len(data))).float() / 255, 4))
    assert torch.allclose(measured.record.outputs, outputs, atol=1e-5)
    assert torch.equal(measured.spikes, sum(spikes.flatten(2).count_nonzero(-1) for spikes in seen))
    measured.save(folder / "one.npz")
    assert torch.equal(Measured.load(folder / "one.npz").spikes, measured.spikes)
    assert load_checkpoint(folder / "converted" / "qcfs-signed-0").model.config.neuron == "signed"
