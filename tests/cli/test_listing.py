"""Tests of `dendrix list`."""

import json
from pathlib import Path

import pytest

from dendrix.cli import main
from dendrix.recipes import recipes
from dendrix.recipes.requirements import REQUIREMENTS


@pytest.mark.parametrize("columns", [1, 40, 79, 80, 200])
def test_names_are_whole_at_any_width(columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert {listed.name for listed in recipes()} <= set(out.split())
    longest = max(len(listed.name) for listed in recipes()) + 2
    assert max(map(len, out.splitlines())) <= max(columns, longest, 40)


def test_recipes_are_grouped_by_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if line and line[0] != " "][:-1]
    assert headings == ["Events", "Speech", "Images", "Continual learning", "Text", "Shipped networks"]


def test_every_file_of_recipes_has_its_requirements() -> None:
    assert {listed.name.partition(":")[0] for listed in recipes()} == set(REQUIREMENTS)


def test_a_word_selects(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "CIFAR", "--json"]) == 0
    assert {found["task"] for found in json.loads(capsys.readouterr().out)} == {"images"}


def test_an_unknown_word_is_answered_with_the_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "speach"]) == 2
    assert "Did you mean 'speech'? The tasks are " in capsys.readouterr().err


def test_data_and_durations_that_exist_here_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / "fsdd.npz").touch()
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"name": "fsdd-delays", "seconds": 180.0, "progress": {"stopped": "finished"}}))
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "runs" / "other" / "run.json").write_text("[1]")

    def listed() -> dict[str, dict[str, object]]:
        assert main(["list", "--json"]) == 0
        return {found["name"]: found for found in json.loads(capsys.readouterr().out)}

    monkeypatch.delenv("DENDRIX_DATA", raising=False)
    assert not listed()["fsdd-delays"]["data_found"]
    assert listed()["digits-delays"]["data_found"]
    monkeypatch.setenv("DENDRIX_DATA", str(tmp_path))
    found = listed()
    assert found["fsdd-delays"]["data_found"]
    assert not found["shd-delays"]["data_found"]
    assert found["fsdd-delays"]["minutes_here"] == pytest.approx(3)
