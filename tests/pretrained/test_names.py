"""The shipped networks by name: every command that takes one works at once, from an empty folder and without data."""

import json
from pathlib import Path

import pytest

from dendrix.cli import main
from dendrix.pretrained import shipped
from dendrix.samples import samples

CLASSIFIERS = {"fsdd": "7_george_0.wav", "commands": "stop_14_1.ogg", "cifar10": "ship.png"}
EXPECTED = {"fsdd": "7", "commands": "stop", "cifar10": "ship"}


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DENDRIX_DATA", raising=False)


def said(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    code = main(list(command))
    out, errors = capsys.readouterr()
    assert code == 0, errors
    return out


def test_these_are_shipped_and_have_samples() -> None:
    assert shipped() == ("cifar10", "commands", "fsdd", "novels")
    assert all(samples(name) for name in shipped())


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_predict_exit_and_energy(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (answer,) = json.loads(said(capsys, "predict", name, CLASSIFIERS[name], "--json"))
    assert answer["label"] == EXPECTED[name]
    (answer,) = json.loads(said(capsys, "exits", "run", name, CLASSIFIERS[name], "--json"))
    assert (answer["label"], answer["stopped"]) == (EXPECTED[name], True)
    assert answer["steps"] < answer["of"] if name == "cifar10" else answer["heard_ms"] < answer["length_ms"] + 100
    found = json.loads(said(capsys, "energy", name, "--inputs", "2", "--json"))
    assert found["as_built"]["inputs"] == 2


def test_the_energy_of_samples_is_named_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "over 3 of its samples" in " ".join(said(capsys, "energy", "fsdd", "--inputs", "3").split())
    assert main(["evaluate", "fsdd"]) == 1
    assert "DENDRIX_DATA" in capsys.readouterr().err


def test_text_is_generated_scored_and_metered(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    generate = ("lm", "generate", "novels", "--file", "harbour.txt", "--max-new-tokens", "30", "--seed", "0", "--json")
    found = json.loads(said(capsys, *generate))
    assert found["tokens"] == 30
    assert json.loads(said(capsys, *generate))["text"] == found["text"]
    (score,) = json.loads(said(capsys, "lm", "eval", "novels", "harbour.txt", "--context", "256", "--json")).values()
    assert 1 < score["bits_per_byte"] < 2.6
    assert json.loads(said(capsys, "energy", "novels", "--inputs", "1", "--json"))["units"] == 512
    assert main(["predict", "novels", "ship.png"]) == 1
    assert "expected a classifier, got a language model" in capsys.readouterr().err
    assert main(["lm", "generate", "fsdd", "Once"]) == 1
    assert "expected a language model" in capsys.readouterr().err


def test_the_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    listed = said(capsys, "list", "spikegpt-small")
    assert all(f"\n  {name} " in listed for name in shipped())
    facts = json.loads(said(capsys, "info", "--json"))
    assert set(facts["shipped networks"]) == set(shipped())
