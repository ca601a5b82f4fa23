"""Recordings that come with dendrix: readable, small, licensed, and heard by the network that comes with it."""

import json
from pathlib import Path

import pytest

import dendrix
from dendrix.cli import main
from dendrix.data import read_wav
from dendrix.errors import InputError
from dendrix.run_folder import load_checkpoint
from dendrix.runs import predict
from dendrix.samples import find_sample, samples


def test_every_sample_is_a_short_recording_of_8_khz() -> None:
    assert len(samples()) == 30
    for name in samples():
        wave, rate = read_wav(find_sample(name))
        assert rate == 8000
        assert 0.1 < len(wave) / rate < 2


def test_they_are_small_and_have_a_licence() -> None:
    folder = Path(dendrix.samples.__file__).parent
    assert sum(path.stat().st_size for path in folder.rglob("*.wav")) <= 300_000
    assert all("CC BY-SA 4.0" in (path.parent / "README.md").read_text() for path in folder.rglob("*.wav"))


@pytest.mark.parametrize("name", ["../fsdd/7_theo_0.wav", "*", "", "7_theo", "7_theo_0.wav.wav.wav"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="expected a recording such as"):
        find_sample(name)


def test_the_nearest_name_is_suggested() -> None:
    with pytest.raises(InputError, match=r"Did you mean '7_theo_0\.wav'"):
        find_sample("7_teo_0.wav")


def test_the_shipped_network_recognises_them() -> None:
    checkpoint = load_checkpoint("fsdd")
    assert [predict(checkpoint, *read_wav(find_sample(name))).label for name in samples()] == [name[0] for name in samples()]


def test_commands_find_a_recording_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "fsdd", "7_george_0.wav", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["label"] == "7"
    assert main(["exits", "run", "fsdd", "7_george_0.wav", "--json", "--figure", "seven.png"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert (answer["label"], answer["stopped"]) == ("7", True)
    assert answer["heard_ms"] < answer["length_ms"]
    assert Path("seven.png").read_bytes()[:4] == b"\x89PNG"
    Path("7_george_0.wav").write_bytes(b"mine")  # a file of the user comes first
    assert main(["predict", "fsdd", "7_george_0.wav"]) == 1
    assert main(["predict", "fsdd", "nowhere/7_george_0.wav"]) == 1
