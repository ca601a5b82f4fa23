"""The study of guarantees: pools, counting of violations, checks that can fail, and the page."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dendrix.data.text.sentences import Sentences
from dendrix.data.text.tokenizers import byte_tokenizer
from dendrix.exits import Guarantee, Margin
from dendrix.exits.fitting.setting import Setting
from dendrix.reproduce.studies import guarantees, guarantees_page, guarantees_speakers, guarantees_text
from dendrix.reproduce.studies.guarantees_pools import any_group, broken, draws, mean_over_groups, overall, pool

ROOT = Path(__file__).parents[3]
STORED, PAGE = ROOT / "benchmarks/guarantees.json", ROOT / "docs/guarantees-results.md"


def test_bad_groups_lose_everything_and_only_they() -> None:
    record = pool(20, 10, bad=0.1)
    setting, loss = Setting(Margin(0.0)), "disagreement"
    outcomes = setting.outcomes(record)
    high = int((outcomes.thresholds >= 7.9).sum()) - 1
    assert mean_over_groups(loss, 0.0)(outcomes)[high].item() == pytest.approx(0.1, abs=0.005)
    assert int(any_group(loss, 0.5)(outcomes)[high]) == 2


def test_draws_take_whole_groups_or_inputs() -> None:
    record = pool(10, 6)
    by_group, by_input = draws(record, 4, True, repeats=3), draws(record, 7, False, repeats=3)
    assert record.groups is not None
    assert all(len(record.groups[one].unique()) == 4 and int(one.sum()) == 24 for one in by_group)
    assert all(int(one.sum()) == 7 for one in by_input)


def test_violations_are_counted() -> None:
    record = pool(1, 2000)
    chosen = draws(record, 50, False, repeats=20)
    goal = Guarantee(0.3, 0.1, "disagreement")
    strict = broken(record, Setting(Margin(0.0)), goal, chosen, overall("disagreement", 0.001))
    kept = broken(record, Setting(Margin(0.0)), goal, chosen, overall("disagreement", 0.3))
    assert strict["violations"] > 0.9
    assert kept["violations"] <= 0.4
    refused = broken(record, Setting(Margin(0.0)), Guarantee(0.01, 0.1, "disagreement"), chosen, overall("disagreement", 0.01))
    assert (refused["refused"], refused["steps"]) == (1, 12)


def test_checks_can_fail() -> None:
    kept = {"violations": 0.1, "draws": 400}
    assert all(
        one.passed for one in guarantees.check({"known groups": {"6 groups, 2400 inputs, all inputs": {"violations": 0.9}, "x": kept}})
    )
    lost = guarantees.check({"known groups": {"6 groups, 2400 inputs, all inputs": {"violations": 0.05}, "x": kept | {"violations": 0.2}}})
    assert [one.passed for one in lost] == [False, False]


def test_speakers_of_several_networks(tmp_path: Path) -> None:
    for fold in range(3):
        (tmp_path / f"crossfit-{fold}").mkdir()
        part = pool(9, 160, spread=0.3, seed=fold)
        assert part.groups is not None
        replace(part, groups=3 * part.groups + fold, grouped_by="speaker").save(tmp_path / f"crossfit-{fold}" / "new-speakers.npz")
    cell = guarantees_speakers.cells()[-1]
    found = guarantees_speakers.cross_fitted(cell, tmp_path / cell.name)
    assert (found["speakers"], len(found["usual"]["risk by speaker"])) == (27, 27)
    steps = {(count, eps): mean for count, eps, mean, _ in found["certified"]}
    assert steps[27, 0.2] <= steps[27, 0.1] <= steps[27, 0.085] <= 12
    for case, one in found["draws"].items():
        assert one["violations"] <= (1 if "independent" in case else 0.2)
        assert one["steps"] <= 12
    text = guarantees_page.page({"cross-fitted": {**found, "folds": {"fold 0": {"test": 0.9}}}})
    assert "27 speakers, each recorded by a network that never heard them" in text


def test_a_language_model_reads_sentences_in_batches_of_equal_length() -> None:
    sentences = Sentences(("bb", "a", "cccc"), torch.tensor([1, 0, 1]), ("x", "y"))
    (batch,) = guarantees_text.batches(byte_tokenizer(), sentences)
    assert batch.valid is not None
    assert batch.valid.sum(1).tolist() == [2, 3, 5]  # with the line end
    assert batch.y.tolist() == [0, 1, 1]


def test_cells_are_complete_and_in_order() -> None:
    cells = guarantees.cells(Path())
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names)
    assert all(names.index(need) < names.index(cell.name) for cell in cells for need in cell.needs)


def test_the_stored_results_pass_and_make_the_page() -> None:
    found = json.loads(STORED.read_text())
    checked = guarantees.check(found)
    assert len(checked) > 30
    assert all(one.passed for one in checked)
    assert guarantees.page(found) == PAGE.read_text()


def test_over_time_pool_is_seeded() -> None:
    assert torch.equal(pool(2, 3, seed=4).outputs, pool(2, 3, seed=4).outputs)
