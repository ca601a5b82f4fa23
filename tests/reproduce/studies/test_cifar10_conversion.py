"""The conversion study: what it counts, its page, and that it measures what is trained and no more."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dendrix.core.files import read_json
from dendrix.data import cifar10
from dendrix.exits import ExitRecord
from dendrix.models import VGGConfig
from dendrix.reproduce.studies import cifar10_conversion as study
from dendrix.reproduce.studies.conversion_exits import BEST, SETTINGS, stopped_early
from dendrix.reproduce.studies.conversion_page import check, page
from dendrix.reproduce.studies.conversion_records import Measured, measure
from dendrix.reproduce.studies.conversion_results import over_seeds, results
from dendrix.run_folder.checkpoint import load_checkpoint
from support.image_runs import write_run
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
    assert list(found) == ["all steps", *(setting.name for setting in SETTINGS), "oracle"]
    assert found["all steps"] == {"accuracy": test.accuracy()[-1], "steps": 8.0, "spikes": 36.0}
    for setting in SETTINGS:
        figures = found[setting.name]
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


def test_the_page_has_every_figure() -> None:
    measured = {("qcfs-if", seed): synthetic(seed) for seed in (0, 1)} | {("qcfs-signed", 0): synthetic(2)}
    originals = {("cifar10-qcfs-vgg-small", seed): {"valid": 0.8, "test": 0.79} for seed in (0, 1)}
    speed = {"route": "qcfs-if", "T": 8, "steps": 3.0, "ideal": 2.7, "ms_per_image": 3.1}
    speed |= {"wait": 1.0, "compact": 2.1, "refill": 2.2, "step by step": 0.9}
    found = results(originals, measured, measured, [speed])
    text = page(found)
    assert "QCFS, integrate-and-fire, T = 8" in text
    assert "79.0% ± 0.0 | 2" in text
    assert "| 8 | 3.00 | 2.70 | 1.00 | 2.10 | 2.20 | 0.90 | 3.1 |" in text
    assert text.count("| oracle |") == 4
    assert "| qcfs-if, T = 8 | times faster at batch 64, at least 2 | 2.20 | reached |" in text
    lost = [value for one in found["stopped"] for rule in SETTINGS for value in one["settings"][rule.name]["lost"]["values"]]
    assert f"Of all 42 fitted rules, one for each row, T, network and seed, {sum(value > 0.005 for value in lost)} lost" in text
    faster = [one for one in check(found) if one.says.startswith("times faster")]
    assert [(one.computed, one.verdict) for one in faster] == [(2.2, "reached")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study with one QCFS network that is trained, and nothing else."""
    data = tmp_path / "data"
    data.mkdir()
    write_binary(data, per_batch=10)
    monkeypatch.setattr(study, "_splits", lambda: cifar10(data, held_out=20))
    write_run(tmp_path / "runs" / "cifar10-qcfs-vgg-small-0", data, VGGConfig(stages=((4,), (6,)), threshold=1.0))
    return tmp_path


def test_what_is_trained_is_measured_once(folder: Path) -> None:
    study.report(folder)
    found = read_json(folder / study.RESULTS)
    assert list(found["routes"]) == ["qcfs-if", "qcfs-signed"]
    assert [one["T"] for one in found["speeds"]] == [8, 16, 8, 16]
    assert BEST in (folder / study.PAGE).read_text()
    made = {path: path.stat().st_mtime_ns for path in (folder / "records").iterdir()}
    study.report(folder)
    assert {path: path.stat().st_mtime_ns for path in (folder / "records").iterdir()} == made
    assert read_json(folder / study.RESULTS) == found


def test_spikes_are_those_of_all_layers(folder: Path) -> None:
    route = study.ROUTES[1]
    model, data = study.converted(route, 0, folder), study._splits().test
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
