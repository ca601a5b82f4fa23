"""Samples that come with dendrix: readable, small, licensed, found by name, and recognised by the network that comes with it."""

import json
from pathlib import Path

import pytest
import torch

import dendrix
from dendrix.cli import main
from dendrix.data import read_sound, read_wav
from dendrix.data.images.pictures import read_picture
from dendrix.errors import InputError
from dendrix.run_folder import load_checkpoint
from dendrix.runs import predict
from dendrix.samples import find_sample, samples
from dendrix.samples.draw import DRAWINGS, drawn

SOUNDS = [name for name in samples("*") if name.endswith((".wav", ".ogg"))]


def test_every_recording_is_short() -> None:
    assert (len(samples("fsdd")), len(samples("commands"))) == (30, 40)
    for name in SOUNDS:
        wave, rate = read_sound(find_sample(name))
        assert rate == (8000 if name.endswith(".wav") else 16_000)
        assert 0.1 < len(wave) / rate < 2


def test_they_are_small_and_have_a_licence() -> None:
    folder = Path(dendrix.samples.__file__).parent
    assert sum(find_sample(name).stat().st_size for name in samples("*")) <= 300_000
    licences = {"cifar10": "Apache-2.0", "commands": "CC BY 4.0", "fsdd": "CC BY-SA 4.0", "novels": "Apache-2.0"}
    assert {path.parent.name for path in folder.glob("*/*") if path.suffix != ".pyc"} == set(licences)
    assert all(licence in (folder / name / "README.md").read_text() for name, licence in licences.items())


def test_the_drawings_are_those_of_the_script() -> None:
    pytest.importorskip("PIL")
    assert [f"{name}.png" for name in DRAWINGS] == list(samples("cifar10"))
    for name in DRAWINGS:
        assert torch.equal(read_picture(find_sample(f"{name}.png")), torch.from_numpy(drawn(name)).permute(2, 0, 1))


@pytest.mark.parametrize("name", ["../fsdd/7_theo_0.wav", "*", "", "7_theo", "7_theo_0.wav.wav.wav", "README.md", "draw.py"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="expected a sample such as"):
        find_sample(name)


@pytest.mark.parametrize(
    ("name", "meant"), [("7_teo_0.wav", r"7_theo_0\.wav"), ("ships.png", r"ship\.png"), ("zoom_in_28_1.ogg", "zoom-in")]
)
def test_the_nearest_name_is_suggested(name: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"Did you mean '{meant}"):
        find_sample(name)


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
