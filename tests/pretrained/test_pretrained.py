"""The networks that come with dendrix: small, described, and usable by name from anywhere."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import dendrix
from dendrix.cli import main
from dendrix.data import read_wav
from dendrix.exits import Policy, fingerprint
from dendrix.pretrained import find_run, shipped, titles
from dendrix.pretrained.packed import weights_file
from dendrix.run_folder.checkpoint import load_checkpoint
from dendrix.runs.prediction import predict
from dendrix.runs.viewing import EVIDENCE, knows_images


def test_the_weights_of_all_are_at_most_3_mb() -> None:
    assert sum(weights_file(find_run(name)).stat().st_size for name in shipped()) <= 3_000_000


@pytest.mark.parametrize("name", shipped())
def test_each_has_a_card_without_paths_of_a_machine(name: str) -> None:
    folder = find_run(name)
    card = (folder / "README.md").read_text()
    assert card.startswith(f"# {name}: {titles()[name]}\n")
    assert f"dendrix {'lm generate' if name == 'novels' else 'predict'} {name}" in card
    assert all(f"\n- {part}:" in card for part in ("Input", "Network", "Trained on", "Accuracy", "Limitations"))
    assert all("/tmp" not in path.read_text() for path in folder.glob("*.json"))


def test_a_name_loads_and_no_other_folder_hides_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "fsdd" in shipped()
    assert not dendrix.load("fsdd").training
    assert find_run(tmp_path) == tmp_path
    monkeypatch.chdir(tmp_path)
    Path("fsdd").mkdir()
    assert not dendrix.load("fsdd").training


def test_a_run_of_the_same_name_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(find_run("fsdd"), "fsdd")
    with pytest.raises(ValueError, match=rf"^fsdd: expected one network, .* or give it as {tmp_path}/fsdd\.$"):
        find_run("fsdd")
    assert find_run(tmp_path / "fsdd") == tmp_path / "fsdd"
    assert not dendrix.load(tmp_path / "fsdd").training


@pytest.mark.parametrize("name", ["fsd", "../pretrained/fsdd", "__pycache__", "."])
def test_another_name_is_one_sentence_with_the_names_that_there_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["predict", name, "some.wav"]) == 1
    message = capsys.readouterr().err
    assert f"or name a shipped network: {', '.join(shipped())}." in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("name", ["cifar10", "commands", "novels"])
def test_a_card_states_what_was_measured(name: str) -> None:
    """benchmarks/shipped.json has the figures beside their commands."""
    found = json.loads((Path(__file__).parents[2] / "benchmarks" / "shipped.json").read_text())[name]
    card = " ".join((find_run(name) / "README.md").read_text().split())
    parts = (found["valid"], found["test"], *(found["exits"][key] for key in ("accuracy", "lost") if "exits" in found))
    assert all((f"{part:.3f}" if part > 1 else f"{part:.1%}") in card or f"{part:.2%}" in card for part in parts)
    assert found["commands"][0] in card
    assert found["bytes"] == weights_file(find_run(name)).stat().st_size
    assert f"{found['parameters']:,} trained parameters" in card


@pytest.mark.parametrize("name", ["cifar10", "commands", "fsdd"])
def test_the_policy_beside_a_network_belongs_to_it_and_stops_early(name: str) -> None:
    checkpoint, policy = load_checkpoint(name), Policy.load(find_run(name) / "policy.json")
    accumulation = EVIDENCE if knows_images(checkpoint) else checkpoint.decision.accumulation
    policy.check_network(len(checkpoint.labels), accumulation, policy.dt_ms, fingerprint(checkpoint.model))
    assert policy.stops_early
    assert policy.statement.startswith("With a probability of at least 0.9")


def test_fsdd_answers_for_any_sound() -> None:
    tone = np.sin(np.arange(4000) / 3).astype(np.float32)
    answer = predict(load_checkpoint("fsdd"), tone, 8000, top=10)
    assert set(answer.top) == set("0123456789")
    assert sum(answer.top.values()) == pytest.approx(1, abs=1e-5)


def test_fsdd_recognises_real_recordings(shared: Path, tmp_path: Path) -> None:
    """Take 0 of five speakers is of the official test split."""
    with zipfile.ZipFile(shared / "data" / "speech" / "fsdd_wav_sample.zip") as archive:
        archive.extractall(tmp_path)
    network = load_checkpoint("fsdd")
    takes = sorted(tmp_path.glob("?_*_0.wav"))
    right = sum(predict(network, *read_wav(take)).label == take.name[0] for take in takes)
    assert len(takes) == 50
    assert right >= 49
