"""The text study: its cells, results and page, and resuming."""

import dataclasses
import json
from pathlib import Path

import pytest

from dendrix.cli import main
from dendrix.core.files import read_json
from dendrix.models.gpt2 import GPT2Config
from dendrix.recipes import spikegpt_small as recipes
from dendrix.reproduce.studies import spikegpt_small as study
from dendrix.reproduce.studies.spikegpt_small import Outcome, check, page, results
from dendrix.reproduce.study import OUTCOME, RUNS
from dendrix.train.text.recipe import TextRecipe
from support.paths import DOCS


def outcome(bits: float, carried: float | None = 2.0, rates: dict[str, float] | None = None) -> Outcome:
    return Outcome(valid=bits + 0.1, test=bits, carried=carried, rates=rates or {}, parameters=100, tokens=1000, seconds=1.0)


def test_all_networks_see_the_same_text_in_the_same_order() -> None:
    cells = study.cells(Path("out"))
    assert len({cell.name for cell in cells}) == len(cells) == 15
    assert [cell.key[1] for cell in cells] == sorted(cell.key[1] for cell in cells)
    described = [cell.recipe for cell in cells if cell.key[1] == 1 and isinstance(cell.recipe, TextRecipe)]
    assert len({(recipe.data, recipe.budget, recipe.seed) for recipe in described}) == 1
    spiking, continuous, inputs, control, pytorch = (recipe.model for recipe in described)
    assert isinstance(control, GPT2Config)
    assert continuous == dataclasses.replace(spiking, spikes="none")
    assert inputs == recipes.inputs().model
    assert pytorch == dataclasses.replace(spiking, start="pytorch")


def test_means_and_ratios_of_pairs() -> None:
    known = {("spiking", seed): outcome(2.0 + seed, rates={"a": 0.1 * seed}) for seed in (0, 1, 2)}
    known |= {("continuous", seed): outcome(2.0) for seed in (0, 1)}
    known["gpt2", 5] = outcome(3.0, None)  # without a partner
    found = results(known)
    assert found["networks"]["spiking"]["test"] == pytest.approx(3.0)
    assert found["networks"]["spiking"]["test_sd"] == pytest.approx(1.0)
    assert found["networks"]["spiking"]["rates"] == {"a": pytest.approx(0.1)}
    assert found["networks"]["gpt2"]["carried"] is None
    (ratio,) = found["ratios"]
    assert ratio["compared"] == "spiking / continuous"
    assert ratio["test_by_seed"] == {"0": 1.0, "1": 1.5}
    assert ratio["test"] == pytest.approx(1.25)
    written = page(found)
    assert "| spiking / continuous | 1.250 | 1.000, 1.500 |" in written
    assert "at most 1.05: missed" in written


def test_the_page_of_the_docs_is_that_of_its_results() -> None:
    docs = DOCS
    found = read_json(docs / study.STUDY.results_file)
    assert (docs / study.STUDY.page_file).read_text() == page(found)
    assert all(one.passed and one.published for one in check(found))
    found["ratios"][0]["test"] += 0.05
    assert sum(not one.passed for one in check(found)) == 1


def test_outcomes_of_version_0_1_0_give_the_results_of_the_docs(tmp_path: Path) -> None:
    found = read_json(DOCS / study.STUDY.results_file)
    for name, network in found["networks"].items():
        for seed, kept in network["cells"].items():
            (tmp_path / RUNS / f"{name}-{seed}").mkdir(parents=True)
            (tmp_path / RUNS / f"{name}-{seed}" / OUTCOME).write_text(json.dumps(kept))
    assert all(one.passed for one in study.STUDY.report(tmp_path))
    assert read_json(tmp_path / study.STUDY.results_file) == found


@pytest.fixture
def novels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short text of our own and two networks of a few neurons."""
    pytest.importorskip("transformers")
    for split in ("train", "valid", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "a.txt").write_text("a rose is a rose is a rose\n" * 60)
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    for name in ("recipe", "gpt2"):
        recipe = getattr(recipes, name)()
        size = {"width": 16, "layers": 1}
        tiny = dataclasses.replace(
            recipe, data=dataclasses.replace(recipe.data, text=str(tmp_path)), model=dataclasses.replace(recipe.model, **size)
        )
        monkeypatch.setattr(recipes, name, lambda tiny=tiny: tiny)
    monkeypatch.setattr(study, "EVERY", 2)
    monkeypatch.setattr(study, "NETWORKS", {name: study.NETWORKS[name] for name in ("spiking", "gpt2")})
    monkeypatch.setattr(study, "SEEDS", (0,))


@pytest.mark.usefixtures("novels")
def test_the_command_trains_what_is_missing_and_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study"
    assert main(["reproduce", "spikegpt-small", "--out", str(out), "--epochs", "2", "--json"]) == 0
    (checked,) = json.loads(capsys.readouterr().out)
    assert (checked["says"], checked["verdict"], checked["passed"]) == ("spiking / gpt2", "trial of 2 epochs", None)
    kept = out / "runs" / "gpt2-0" / OUTCOME
    assert read_json(kept)["carried"] is None
    written = (out / study.STUDY.page_file).read_text()
    assert "| gpt2 |" in written
    before = kept.stat().st_mtime_ns
    (out / "runs" / "spiking-0" / OUTCOME).unlink()
    study.reproduce(out, epochs=2)
    assert kept.stat().st_mtime_ns == before
    assert (out / study.STUDY.page_file).read_text() == written
