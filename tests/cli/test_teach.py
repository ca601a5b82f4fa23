import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from dendrix.cli import main
from dendrix.pretrained import find_run
from dendrix.samples import find_sample
from support.exports import needs_gcc, needs_node, selftest


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary with two words of two clips."""
    path = tmp_path_factory.mktemp("taught") / "words"
    for word, digit in (("seven", 7), ("zero", 0)):
        clips = [f"{digit}_{speaker}_0.wav" for speaker in ("george", "nicolas")]
        assert main(["teach", "add", word, *clips, "--to", str(path), "--backbone", "fsdd", "--rate", "0.1"]) == 0
    return path


def said(capsys: pytest.CaptureFixture[str], *command: object) -> str:
    capsys.readouterr()
    assert main([str(word) for word in command]) == 0
    return capsys.readouterr().out


def test_predictions_name_a_word_or_none(words, tmp_path, capsys):
    mine = shutil.copy(words, tmp_path / "mine")
    said(capsys, "teach", "add", "six", "6_george_0.wav", "6_nicolas_0.wav", "--to", mine, "--rate", "0.1")
    found = json.loads(said(capsys, "predict", mine, "6_theo_0.wav", "0_theo_0.wav", "3_theo_0.wav", "--json"))
    assert [answer["label"] for answer in found] == ["six", "zero", None]
    assert all(0 < answer["p_value"] <= 1 for answer in found)
    assert "(none of these)" in said(capsys, "predict", mine, "3_theo_0.wav")


def test_any_sampling_rate(words, tmp_path, capsys):
    wave, rate = soundfile.read(find_sample("0_theo_0"))
    soundfile.write(tmp_path / "x.wav", np.interp(np.arange(0, len(wave), 0.5), np.arange(len(wave)), wave), 2 * rate)
    assert json.loads(said(capsys, "predict", words, tmp_path / "x.wav", "--json"))[0]["label"] == "zero"


def test_a_vocabulary_is_managed(words, tmp_path, capsys):
    mine, yours = tmp_path / "mine", tmp_path / "yours"
    shutil.copy(words, mine)
    report = json.loads(said(capsys, "teach", "report", mine, "--word", "seven", "--json"))[0]
    assert report["confusable"][0][0] == "7"
    assert report["n_bytes"] == 262
    said(capsys, "teach", "rename", mine, "zero", "nought")
    added = json.loads(said(capsys, "teach", "add", "seven", "7_theo_0.wav", "--to", mine, "--more", "--json"))
    assert added["clips"] == 3
    said(capsys, "teach", "add", "three", "3_george_0.wav", "3_theo_0.wav", "--to", yours, "--backbone", "fsdd", "--rate", "0.1")
    said(capsys, "teach", "merge", mine, yours)
    said(capsys, "teach", "forget", mine, "nought")
    assert [row["word"] for row in json.loads(said(capsys, "teach", "list", mine, "--json"))] == ["seven", "three"]
    assert "seven" in said(capsys, "teach", "list", mine)


def test_own_background(words, tmp_path, capsys):
    mine = tmp_path / "mine"
    shutil.copy(words, mine)
    (tmp_path / "sounds").mkdir()
    for digit in range(1, 6):
        shutil.copy(find_sample(f"{digit}_theo_0"), tmp_path / "sounds")
    assert "needs at least 10 sounds" in said(capsys, "teach", "background", tmp_path / "sounds", "--to", mine)
    report = json.loads(said(capsys, "teach", "report", mine, "--word", "seven", "--json"))[0]
    assert report["own_background"] >= 5
    assert report["own_rate"] <= 0.2


def test_a_stream_of_words(words, capsys, monkeypatch):
    gap = np.zeros(8000, np.int16)
    clips = [soundfile.read(find_sample(name), dtype="int16")[0] for name in ("7_george_0", "3_theo_0", "0_george_0")]
    sound = np.concatenate([part for clip in clips for part in (gap, clip)] + [gap])

    class Pipe:
        buffer = io.BytesIO(sound.tobytes())

    monkeypatch.setattr("sys.stdin", Pipe)
    lines = [json.loads(line) for line in said(capsys, "listen", words, "-", "--json").splitlines()]
    assert [line["word"] for line in lines] == ["seven", "zero"]
    assert lines[0]["time_s"] == pytest.approx(1.0, abs=0.15)
    assert lines[1]["false_alarms_per_hour"] > 0


def test_the_price_of_synapses(words, tmp_path, capsys):
    rows = json.loads(
        said(capsys, "teach", "budget", words, "seven", "--synapses", 10, 40, "--rate", 0.01, "--out", tmp_path / "b.png", "--json")
    )
    assert [row["synapses"] for row in rows] == [10, 40]
    for row in rows:
        assert row["measured"] == pytest.approx(row["theory"], rel=0.2)
        assert row["theory"] <= 0.01
    assert (tmp_path / "b.png").stat().st_size > 1000
    assert "uniform codes" in said(capsys, "teach", "budget", words, "seven")


class FakeStream:
    """Input of a fake microphone: sound, then silence."""

    def __init__(self, sound: np.ndarray) -> None:
        self.rest = sound

    def __enter__(self) -> "FakeStream":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, frames: int) -> tuple[np.ndarray, bool]:
        part, self.rest = self.rest[:frames], self.rest[frames:]
        return np.pad(part, (0, frames - len(part)))[:, None].astype(np.float32), False


def fake_microphone(monkeypatch: pytest.MonkeyPatch, *sounds: np.ndarray) -> None:
    """Install a module sounddevice whose streams give these sounds, one each; after the last one there is no device."""
    found, waiting = ModuleType("sounddevice"), list(sounds)

    class PortAudioError(Exception):
        pass

    def open_stream(samplerate: float, channels: int, dtype: str, device: str | None) -> FakeStream:
        if not waiting:
            raise PortAudioError("Error querying device -1")
        assert (samplerate, channels, dtype, device) == (8000, 1, "float32", None)
        return FakeStream(waiting.pop(0))

    found.PortAudioError, found.InputStream = PortAudioError, open_stream
    monkeypatch.setitem(sys.modules, "sounddevice", found)


def with_silence(*names: str) -> np.ndarray:
    gap = np.zeros(4000)
    return np.concatenate([part for name in names for part in (gap, soundfile.read(find_sample(name))[0])] + [gap])


def test_a_word_is_recorded_with_the_microphone(words, tmp_path, capsys, monkeypatch):
    mine = tmp_path / "mine"
    shutil.copy(words, mine)
    fake_microphone(monkeypatch, *(with_silence(f"3_{speaker}_0", "8_theo_0") for speaker in ("george", "theo")))
    added = json.loads(said(capsys, "teach", "add", "three", "--record", 2, "--to", mine, "--rate", 0.1, "--veto", "--json"))
    assert added["clips"] == 2
    assert added["rivals"][0] == "3"
    assert "vetoed by 3" in said(capsys, "teach", "report", mine, "--word", "three")


def test_a_word_that_is_not_said_in_time(words, tmp_path, capsys, monkeypatch):
    mine = tmp_path / "mine"
    shutil.copy(words, mine)
    fake_microphone(monkeypatch, np.zeros(100))
    assert main(["teach", "add", "three", "--record", "1", "--to", str(mine)]) == 1
    assert "within 10 s" in capsys.readouterr().err
    assert mine.read_bytes() == words.read_bytes()


def test_microphones_that_are_missing(words, capsys, monkeypatch):
    fake_microphone(monkeypatch)
    assert main(["listen", str(words)]) == 1
    assert "microphone: expected one that records at 8000 Hz" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["listen", str(words)]) == 1
    assert "pip install dendrix[microphone]" in capsys.readouterr().err


def test_listen_takes_the_names_of_shipped_samples(words, capsys):
    assert main(["listen", str(words), "7_george_0.wav", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["word"] == "seven"


def wav(path: Path, wave: np.ndarray) -> Path:
    soundfile.write(path, wave, 8000, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("teach add new {silent} --to {v}", "silence"),
        ("teach add new {clipped} --to {v}", "clipped"),
        ("teach add new {noise} --to {v}", "no speech"),
        ("teach add new {two} --to {v}", "found 2"),
        ("teach add new 3_theo_0.wav 3_george_0.wav 6_theo_0.wav --to {v} --rate 0.1", "6_theo_0.wav differs"),
        ("teach add seven 3_theo_0.wav --to {v} --rate 0.1", "'seven' was taught before"),
        ("teach add new 3_theo_0.wav --to {v} --rate 0.0001", "background clips"),
        ("teach add new 3_theo_0.wav --to {v} --rate 0", "rate"),
        ("teach add new --to {v}", "a wav file or --record 3"),
        ("teach add new 3_theo_0.wav --record -1 --to {v}", "number of recordings"),
        ("teach add seven 3_theo_0.wav --veto --more --to {v}", "Leave out --veto"),
        ("teach budget {v} seven --synapses 0", "from 1 to"),
        ("teach budget {v} eight", "expected one of the vocabulary"),
        ("listen {v} {silent} --per-hour 0", "per_hour"),
        ("teach add new missing.wav --to {v}", "No such file"),
        ("teach add new 3_theo_0.wav --to {no}/x/y", "does not exist"),
        ("teach add new 3_theo_0.wav --to {no} --backbone nothing", "nothing"),
        ("teach add new 3_theo_0.wav --more --to {v}", "expected one of the vocabulary"),
        ("teach forget {v} eleven", "expected one of the vocabulary"),
        ("teach rename {v} seven zero", "'zero' was taught before"),
        ("teach merge {v}", "at least one vocabulary"),
        ("teach merge {v} {v}", "twice"),
        ("teach report {no}", "does not exist"),
        ("teach report {silent}", "damaged"),
        ("teach background {empty} --to {v}", "found none"),
        ("teach background {silent} --to {v}", "silence"),
        ("predict {v} {silent}", "silence"),
        ("listen {v} {no}", "No such file"),
        ("warmup digits-delays --threads 2", "got 'digits-delays --threads 2'. Try: dendrix warmup --help"),
        ("listen {v} {v}", "expected"),
    ],
)
def test_bad_input_is_one_sentence_and_changes_nothing(words, tmp_path, capsys, command, message):
    rng, v = np.random.default_rng(0), tmp_path / "v"
    shutil.copy(words, v)
    (tmp_path / "empty").mkdir()
    speech, gap = soundfile.read(find_sample("7_george_0"))[0], np.zeros(5000)
    places = {
        "v": v,
        "no": tmp_path / "no",
        "empty": tmp_path / "empty",
        "silent": wav(tmp_path / "silent.wav", np.zeros(8000)),
        "clipped": wav(tmp_path / "clipped.wav", np.sign(speech)),
        "noise": wav(tmp_path / "noise.wav", 0.05 * rng.normal(size=16000)),
        "two": wav(tmp_path / "two.wav", np.concatenate([gap, speech, gap, speech, gap])),
    }
    before = v.read_bytes()
    assert main(command.format(**places).split()) != 0
    caught = capsys.readouterr().err.strip()
    assert message in caught
    assert "\n" not in caught
    assert v.read_bytes() == before
    assert not (tmp_path / "no").exists()


def test_a_network_without_a_backbone_says_how_to_make_one(tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(find_run("fsdd"), folder)
    (folder / "teach.safetensors").unlink()
    assert main(["teach", "add", "new", "3_theo_0.wav", "--to", str(tmp_path / "v"), "--backbone", str(folder)]) == 1
    assert f"dendrix teach backbone {folder}" in capsys.readouterr().err


@needs_gcc
def test_a_vocabulary_is_exported_as_c(words, tmp_path, capsys):
    found = json.loads(said(capsys, "export", words, "--to", "c", "--out", tmp_path / "c", "--clips", "2", "--json"))
    assert found["words"] == ["seven", "zero"]
    assert set(found["bytes"]) == {"network", "whitening", "words", "background", "memory"}
    assert min(found["bytes"].values()) > 0
    done = subprocess.run(["make", "-s", "test"], cwd=tmp_path / "c", check=True, capture_output=True, text=True)
    assert "2 clips" in done.stdout


@needs_node
def test_a_vocabulary_is_exported_for_browsers(words, tmp_path, capsys):
    told = said(capsys, "export", words, "--to", "wasm", "--out", tmp_path / "web", "--clips", "2")
    assert "background (flash), only to teach" in told
    assert "2 clips" in selftest(tmp_path / "web")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--to", "npz"], "expected c or wasm for a vocabulary"),
        (["--to", "c", "--abstain", "0.5"], "abstain: expected it only for networks"),
        (["--to", "c", "--weights", "9"], "weights: expected"),
    ],
)
def test_options_that_a_vocabulary_lacks_are_refused(words, tmp_path, options, reason, capsys):
    assert main(["export", str(words), "--out", str(tmp_path / "x"), *options]) != 0
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_an_empty_vocabulary_is_not_exported(words, tmp_path, capsys):
    empty = tmp_path / "empty"
    shutil.copy(words, empty)
    for word in ("seven", "zero"):
        said(capsys, "teach", "forget", empty, word)
    assert main(["export", str(empty), "--to", "c", "--out", str(tmp_path / "x")]) != 0
    assert "got an empty one" in capsys.readouterr().err
