"""Tests of `dendrix warmup`."""

import json

import pytest

from dendrix.cli import main


@pytest.mark.extended  # it compiles every kernel: over a minute in a fresh checkout
def test_warmup_runs_all_of_its_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warmup", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(["warmup", "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert first["compiled"] >= second["compiled"] == 0
