"""The speech study: its cells, results and page, and resuming."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dendrix.cli import main
from dendrix.core.files import read_json
from dendrix.recipes import fsdd_delays as recipes
from dendrix.reproduce.studies import fsdd_delays as study
from dendrix.reproduce.studies.fsdd_delays import Outcome, check, page, results
from dendrix.reproduce.study import OUTCOME
from dendrix.train.sequence.recipe import Budget
from support.paths import DOCS


def outcome(right: str) -> Outcome:
    return Outcome(right=right, valid_accuracy=0.9, parameters=100, seconds=1.0)


def test_every_cell_has_a_name_of_its_own_and_describes_its_training() -> None:
    cells = study.cells(Path("out"))
    assert len({cell.name for cell in cells}) == len(cells) == 116
    axonal = next(cell.recipe for cell in cells if cell.key == ("unheard-small", "axonal", "george", 1))
    assert axonal == dataclasses.replace(
        recipes.small(),
        model=dataclasses.replace(recipes.small().model, granularity="axonal"),
        data=dataclasses.replace(recipes.small().data, held_out_speaker="george"),
        seed=1,
    )


def test_means_and_paired_tests() -> None:
    known: dict[study.Key, Outcome] = {}
    for seed in range(6):
        known["official", "none", None, seed] = outcome("1100000000")
        known["official", "random", None, seed] = outcome("1111110000")
        known["official", "learned", None, seed] = outcome("1111110011")
    known["official", "learned", None, 6] = outcome("1111111111")  # without a partner: in the mean, not in the tests
    found = results(known)["official"]
    assert found["delays"]["none"]["accuracy"] == pytest.approx(0.2)
    assert found["delays"]["learned"]["accuracy"] == pytest.approx((6 * 0.8 + 1) / 7)
    first = found["comparisons"][0]
    assert (first["compared"], first["cells"], first["cells_better"]) == ("learned - random", 6, 6)
    assert first["difference"] == pytest.approx(0.2)
    assert first["clips_only"] == [12, 0]
    assert first["p_clips"] == pytest.approx(2 / 2**12)
    assert first["p_cells"] == pytest.approx(2 / 2**6)
    assert first["p_cells_holm"] == pytest.approx(3 * 2 / 2**6)
    assert [one["compared"] for one in found["comparisons"]] == ["learned - random", "random - none", "learned - none"]


def test_the_page_of_the_docs_begins_with_what_its_results_say() -> None:
    docs = DOCS
    found = read_json(docs / study.STUDY.results_file)
    assert (docs / study.STUDY.page_file).read_text().startswith(page(found))
    assert all(one.passed and one.published for one in check(found))
    found["official-small"]["delays"]["learned"]["accuracy"] -= 0.05
    assert sum(not one.passed for one in check(found)) == 1


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise of two speakers, a network of a few neurons and one protocol of two cells."""
    rng, folder = np.random.default_rng(0), tmp_path / "data"
    folder.mkdir()
    for digit in range(10):
        for speaker in ("anna", "bo"):
            for take in (0, 5, 10):
                soundfile.write(folder / f"{digit}_{speaker}_{take}.wav", rng.uniform(-0.5, 0.5, 800), 8_000)
    monkeypatch.setenv("DENDRIX_DATA", str(folder))
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    main_recipe = recipes.small()
    tiny = dataclasses.replace(
        main_recipe, model=dataclasses.replace(main_recipe.model, hidden=(4,)), budget=Budget(epochs=1, batch_size=20)
    )
    monkeypatch.setattr(recipes, "small", lambda: tiny)
    one = dataclasses.replace(study.PROTOCOLS["unheard-small"], seeds=(0,), speakers=("anna",))
    monkeypatch.setattr(study, "PROTOCOLS", {"unheard-small": one})
    monkeypatch.setattr(study, "DELAYS", ("random", "learned"))


@pytest.mark.usefixtures("digits")
def test_the_command_trains_what_is_missing_and_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study"
    assert main(["reproduce", "fsdd-delays", "--out", str(out), "--epochs", "2", "--json"]) == 0
    checked = json.loads(capsys.readouterr().out)
    assert [(one["verdict"], one["passed"]) for one in checked] == [("trial of 2 epochs", None)] * 2
    kept = out / "runs" / "unheard-small-random-anna-0" / OUTCOME
    assert len(read_json(kept)["right"]) == 30
    written = (out / study.STUDY.page_file).read_text()
    assert "| random |" in written
    assert "| learned - random |" in written
    before = kept.stat().st_mtime_ns
    (out / "runs" / "unheard-small-learned-anna-0" / OUTCOME).unlink()
    study.reproduce(out, epochs=2)
    assert kept.stat().st_mtime_ns == before
    assert (out / study.STUDY.page_file).read_text() == written
    with pytest.raises(ValueError, match=r"expected to resume the same run, but recipe\.budget\.epochs was 2 and is 1"):
        study.reproduce(out)
