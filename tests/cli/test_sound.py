"""A network that comes with dendrix on a user's own sounds: folders of recordings, and streams through a real pipe."""

import itertools
import json
import os
import signal
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dendrix.cli import main
from dendrix.data import read_wav

RATE = 8_000
Stream = Callable[..., tuple[int, str, str]]


def write_wav(path: Path, seconds: float = 0.3, rate: int = RATE, hertz: float = 440.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 9_000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings of two of the ten digits, at three rates."""
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    for number, rate in enumerate((8_000, 16_000, 44_100)):
        write_wav(tmp_path / "mine" / "3" / f"{number}.wav", 0.2 + 0.1 * number, rate)
        write_wav(tmp_path / "mine" / "8" / f"{number}.wav", 0.2 + 0.1 * number, rate, 900.0)
    return tmp_path / "mine"


def evaluate(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> tuple[int, str, str]:
    code = main(["evaluate", "fsdd", "--data", str(folder), *options])
    return code, *capsys.readouterr()


def test_own_recordings_are_scored_as_predict_answers(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(mine.rglob("*.wav"))
    assert main(["predict", "fsdd", *map(str, files), "--json"]) == 0
    answers = [answer["label"] for answer in json.loads(capsys.readouterr().out)]
    code, out, _ = evaluate(capsys, mine, "--json")
    assert code == 0
    scores = json.loads(out)
    expected = np.zeros((10, 10), int)
    for file, answer in zip(files, answers, strict=True):
        expected[int(file.parent.name), int(answer)] += 1
    assert scores["confusion"] == expected.tolist()
    assert scores["accuracy"] == pytest.approx(np.trace(expected) / 6)
    assert scores["labels"] == list("0123456789")
    assert scores["data"] == str(mine)


def test_own_recordings_in_words(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = evaluate(capsys, mine)
    assert code == 0
    assert "of 6 inputs" in out
    assert "confused with" in out


def test_one_class_is_enough(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wav in (mine / "8").iterdir():
        wav.unlink()
    (mine / "8").rmdir()
    assert evaluate(capsys, mine)[0] == 0


def two_hours(folder: Path) -> None:
    write_wav(folder / "3" / "long.wav", 7_200, rate=100)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda mine: write_wav(mine / "ten" / "a.wav"), "expected the classes of the network, 0, 1, 2"),
        (lambda mine: (mine / "5").mkdir(), "5: expected wav files of this class, got an empty folder."),
        (two_hours, "long.wav: expected at most 60 s of audio, got 7200 s. Cut it into clips."),
        (lambda mine: (mine / "3" / "0.wav").write_bytes(b"RIFF"), "0.wav: expected a wav file"),
        (lambda mine: (mine / "3" / "notes.txt").write_text("take 3 is bad"), "expected wav files only, got 1 of another kind: notes.txt"),
        (lambda mine: mine.rename(mine.with_name("gone")), "does not exist"),
    ],
)
def test_bad_recordings_are_one_sentence(mine: Path, capsys: pytest.CaptureFixture[str], spoil: object, says: str) -> None:
    spoil(mine)  # type: ignore[operator]
    code, out, err = evaluate(capsys, mine, "--json")
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_recordings_that_may_not_be_read_are_one_sentence(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine / "3").chmod(0)
    code, _, err = evaluate(capsys, mine)
    (mine / "3").chmod(0o700)
    assert code == 1
    assert "Permission denied" in err


def test_a_recording_of_two_hours_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "fsdd", str(write_wav(tmp_path / "long.wav", 7_200, rate=100))]) == 1
    assert "expected at most 60 s of audio, got 7200 s" in capsys.readouterr().err


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Stream:
    """`dendrix predict fsdd -` at the end of a pipe that has the given bytes in it."""

    def predict(sound: bytes, *options: str) -> tuple[int, str, str]:
        end, start = os.pipe()
        os.write(start, sound)
        os.close(start)
        with os.fdopen(end, "rb") as pipe:
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pipe))
            code = main(["predict", "fsdd", "-", *options])
        return code, *capsys.readouterr()

    return predict


def test_a_stream_is_answered_while_it_comes_and_ends_as_the_file_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stream: Stream
) -> None:
    path = write_wav(tmp_path / "tone.wav", 0.4, rate=16_000)
    assert main(["predict", "fsdd", str(path), "--json"]) == 0
    (whole,) = json.loads(capsys.readouterr().out)
    code, out, _ = stream(path.read_bytes(), "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["final"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert len(lines) < 20
    assert lines[-1]["label"] == whole["label"]
    assert lines[-1]["confidence"] == pytest.approx(whole["confidence"], abs=0.02)  # resampled in pieces
    assert lines[-1]["heard_ms"] == 500.0  # 400 ms and the tail
    for before, after in itertools.pairwise(lines[:-1]):
        assert before["label"] != after["label"] or abs(before["confidence"] - after["confidence"]) >= 0.1


def test_bare_samples_may_end_within_a_sample(tmp_path: Path, stream: Stream) -> None:
    tone, _ = read_wav(write_wav(tmp_path / "tone.wav"))
    code, out, _ = stream((tone * 32_768).astype("<i2").tobytes()[:-1])
    assert code == 0
    assert out.splitlines()[-1].endswith("(end)")


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        (b"", "dendrix: Expected sound, got an empty stream"),
        (b"\0", "dendrix: Expected sound, got an empty stream"),
        (b"RIFF\0\0\0\0WAVEfmt ", "it ends before them"),
    ],
)
def test_a_pipe_without_sound_is_one_sentence(stream: Stream, sound: bytes, says: str) -> None:
    code, out, err = stream(sound)
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1


def test_ctrl_c_ends_a_stream_with_what_was_heard() -> None:
    command = [sys.executable, "-m", "dendrix", "predict", "fsdd", "-", "--json"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    # A shell that runs the tests in the background lets them ignore SIGINT, which the command would inherit.
    with subprocess.Popen(command, **pipes, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(np.arange(800, dtype="<i2").tobytes())
        process.stdin.flush()
        assert not json.loads(process.stdout.readline())["final"]  # it answers before the pipe ends
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert json.loads(out.splitlines()[-1])["final"]
    assert process.returncode == 130
    assert err == b"dendrix: interrupted.\n"
