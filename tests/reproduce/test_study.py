"""A study of small cells: order, resuming, several jobs, cells that fail, trials and outcomes of earlier versions."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dendrix.cli import main
from dendrix.core.files import read_json
from dendrix.errors import DendrixError, InputError
from dendrix.reproduce import REPRODUCTIONS
from dendrix.reproduce.claim import Checked, compare
from dendrix.reproduce.study import OUTCOME, Cell
from support.study_cells import Told, die_once, fail, note, study, training


def test_one_job_runs_in_this_process_and_complete_cells_stay(tmp_path: Path) -> None:
    small = study(Cell("a", ("a",), note), Cell("b", ("b",), note, needs=("a",)))
    small.reproduce(tmp_path)
    found = read_json(tmp_path / "results.json")
    assert {one["process"] for one in found.values()} == {os.getpid()}
    assert (tmp_path / "page.md").read_text() == str(found)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob(f"runs/*/{OUTCOME}")}
    small.reproduce(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_jobs_are_processes_of_one_thread_that_wait_for_the_cells_they_need(tmp_path: Path) -> None:
    study(Cell("a", ("a",), note), Cell("b", ("b",), note, needs=("a", "c")), Cell("c", ("c",), note)).reproduce(tmp_path, jobs=2)
    found = read_json(tmp_path / "results.json")
    assert len({one["process"] for one in found.values()} | {os.getpid()}) == 4
    assert all(one["threads"] == 1 and one["after_needed"] for one in found.values())


def test_with_jobs_complete_cells_start_no_process(tmp_path: Path) -> None:
    study(Told("a", ("a",), note)).reproduce(tmp_path)
    study(Told("b", ("b",), note, needs=("a",)), Told("a", ("a",), note)).reproduce(tmp_path, jobs=2)
    assert [path.name for path in tmp_path.glob("a by *")] == [f"a by {os.getpid()}"]
    assert [path.name for path in tmp_path.glob("b by *")] != [f"b by {os.getpid()}"]


def test_a_killed_job_stops_no_other_and_can_be_repeated(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small = study(Cell("dies", ("dies",), die_once), Cell("b", ("b",), note), Cell("c", ("c",), note, needs=("dies",)))
    with pytest.raises(DendrixError, match=r"2 of 3 cells are not complete: dies, c\. Repeat the command"):
        small.reproduce(tmp_path, jobs=2)
    assert [path.parent.name for path in tmp_path.glob(f"runs/*/{OUTCOME}")] == ["b"]
    small.reproduce(tmp_path, jobs=2)
    assert list(read_json(tmp_path / "results.json")) == ["dies", "b", "c"]
    assert "c: complete, 3 of 3" in capfd.readouterr().err


def test_a_job_that_fails_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DendrixError, match="1 of 1 cells"):
        study(Cell("a", ("a",), fail)).reproduce(tmp_path, jobs=2)
    assert capfd.readouterr().err == "a: a: expected to fail.\n"
    with pytest.raises(InputError, match="expected to fail"):
        study(Cell("a", ("a",), fail)).reproduce(tmp_path)
    with pytest.raises(InputError, match="at least 1, got 0"):
        study().reproduce(tmp_path, jobs=0)
    with pytest.raises(InputError, match=r"epochs: .*, got 0"):
        study().reproduce(tmp_path, epochs=0)


@pytest.mark.extended
def test_trainings_at_a_time_equal_those_one_after_another(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        study(training(0), training(1)).reproduce(tmp_path / "one")
    finally:
        torch.set_num_threads(threads)
    study(training(0), training(1)).reproduce(tmp_path / "two", jobs=2)
    assert read_json(tmp_path / "one" / "results.json") == read_json(tmp_path / "two" / "results.json")
    lines = [(tmp_path / name / "runs" / "digits-1" / "metrics.jsonl").read_text().splitlines() for name in ("one", "two")]
    kept = [[{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in each] for each in lines]
    assert kept[0] == kept[1]


def test_a_trial_checks_nothing_and_its_page_says_so(tmp_path: Path) -> None:
    (checked,) = study(training(0)).reproduce(tmp_path / "trial", epochs=1)
    assert (checked.passed, checked.verdict) == (None, "trial of 1 epochs")
    assert (tmp_path / "trial" / "page.md").read_text().startswith("*Trial: 1 epochs of each training.")
    (checked,) = study(training(0)).reproduce(tmp_path / "full", epochs=2)  # the number of the recipe
    assert checked.passed is False
    with pytest.raises(InputError, match="expected to resume the same run"):
        study(training(0)).reproduce(tmp_path / "trial")


def test_a_number_agrees_within_its_tolerance() -> None:
    near, far, new = (compare("here", "it", "call", 95.0, documented, 1.5, "points") for documented in (96.4, 97.0, None))
    assert (near.passed, near.verdict, near.note) == (True, "agrees: -1.400 points", "tolerance 1.5 points")
    assert (far.passed, far.verdict) == (False, "differs: -2.000 points")
    assert (new.passed, new.published) == (None, "")


def test_reproductions_are_found_with_their_summaries() -> None:
    papers, studies = (
        {"sdr", "shd-delays", "ssc-delays", "gsc-delays"},
        {"fsdd-delays", "spikegpt-small", "nlu", "cifar10-conversion", "teach", "teach-beyond", "energy", "guarantees", "price-of-spikes"},
    )
    assert set(REPRODUCTIONS) == papers | studies
    assert all(not summary.startswith("What") and summary.endswith(".") for summary in REPRODUCTIONS.values())


def test_a_failed_check_is_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = Checked("here", "a claim", "1", "one()", 2.0, "differs", "", passed=False)
    for passed, code in ((False, 1), (None, 0), (True, 0)):
        monkeypatch.setattr("dendrix.reproduce.reproduce", lambda *_, passed=passed: [replace(wrong, passed=passed)])
        assert main(["reproduce", "sdr", "--out", str(tmp_path)]) == code
    assert "1 of 1 failed: one()" in capsys.readouterr().err
