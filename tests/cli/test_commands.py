"""The command line as a user meets it: what it prints, where, and the exit code. Errors are one sentence on stderr."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dendrix.cli import main
from dendrix.core.limits import VARIABLE, allow

TRAIN = (
    "train fsdd-delays --data.encoder.n-mels 8 --model.inputs 8 --model.hidden 12 --model.max-delay-ms 40 --optim.lr 0.03 "
    "--budget.batch-size 10 --budget.epochs 15 --augment.shift-channels 0 --augment.mask-channels 0"
)


@pytest.fixture(scope="module")
def run(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run folder."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENDRIX_CACHE", str(folder.parent / "cache"))
        assert main([*TRAIN.split(), "--data.root", str(tones), "--out", str(folder), "--json"]) == 0
    return folder


def failure(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Exit code and message of a command that must fail without printing anything else."""
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return code, err


def test_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    for command in ("demo", "train", "evaluate", "predict", "report", "list", "fetch", "bench", "info"):
        assert command in overview
        assert main([command, "--help"]) == 0
        assert f"usage: dendrix {command}" in capsys.readouterr().out
    assert main([]) == 0
    assert capsys.readouterr().out == overview


def test_listing_loads_no_torch() -> None:
    code = "import sys; from dendrix.cli import main; main(['list', '--json']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    listed = {recipe["name"]: recipe for recipe in json.loads(done.stdout)}
    assert listed["fsdd-delays"]["summary"] == "Spoken digits (FSDD, official split), learned delays."
    assert "%" in listed["shd-delays"]["claim"]


def test_the_module_runs_as_the_command_does() -> None:
    done = subprocess.run([sys.executable, "-m", "dendrix", "predict"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "RUN" in done.stderr


def test_train_lists_its_options_with_their_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "fsdd-delays", "--help"]) == 0
    shown = capsys.readouterr().out
    for option in ("--optim.lr", "--seed", "--model.hidden", "--data.root", "--budget.epochs", "--out"):
        assert option in shown


def test_evaluate_prints_an_accuracy(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run)]) == 0
    assert "of 10 inputs" in capsys.readouterr().out
    assert main(["evaluate", str(run), "--split", "valid", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["accuracy"] == json.loads((run / "run.json").read_text())["progress"]["best_accuracy"]


def test_a_training_leaves_a_report(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Histogram of the delays" in (run / "report.html").read_text()
    assert main(["report", str(run), "--out", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out == f"The report is in {tmp_path / 'page.html'}.\n"
    assert (tmp_path / "page.html").read_bytes() == (run / "report.html").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["fsdd"], 2, "expected a path for the report of the shipped network fsdd, got none. Give --out."),
        (["nowhere"], 1, "or name a shipped network: "),
        (["nowhere", "--out", "no/where.html"], 1, "expected a file in a folder that exists"),
    ],
)
def test_a_report_that_cannot_be_is_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str) -> None:
    found, message = failure(capsys, "report", *arguments)
    assert found == code
    assert says in message
    assert message.count("\n") == 1


def test_a_report_that_fails_is_no_failure_of_the_training(
    tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main([*TRAIN.split(), "--data.root", str(tones), "--out", str(tmp_path / "run"), "--json", "--budget.epochs", "1"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["progress"]["stopped"] == "finished"
    assert err == "dendrix: no report was written. Figures need matplotlib, which is not installed: pip install dendrix[train].\n"
    assert not (tmp_path / "run" / "report.html").exists()


def test_predict_says_what_it_hears(run: Path, tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, high = tones / "0_tester_0.wav", tones / "1_tester_0.wav"
    assert main(["predict", str(run), str(low), str(high), "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["file"] for answer in answers] == [str(low), str(high)]
    assert [answer["label"] for answer in answers] == ["0", "1"]
    for answer in answers:
        assert set(answer) == {"file", "label", "confidence", "top"}
        assert answer["confidence"] == answer["top"][answer["label"]] == max(answer["top"].values())
    assert main(["predict", str(run), str(low)]) == 0
    assert "confidence" in capsys.readouterr().out


def write_wav(path: Path, samples: np.ndarray, rate: int = 8000, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(samples.astype({1: np.uint8, 2: "<i2"}[width]).tobytes())
    return path


@pytest.mark.parametrize(("channels", "width", "rate"), [(2, 2, 8000), (1, 1, 8000), (1, 2, 44_100)])
def test_predict_takes_stereo_8_bit_and_any_rate(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], channels: int, width: int, rate: int
) -> None:
    tone = np.sin(2 * np.pi * 2000 * np.arange(rate // 8) / rate).repeat(channels)
    samples = 128 + 38 * tone if width == 1 else 9830 * tone
    assert main(["predict", str(run), str(write_wav(tmp_path / "x.wav", samples, rate, channels, width)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["label"] == "1"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b""), "empty file"),
        (lambda path: path.write_text("no sound at all"), "expected a wav file"),
        (lambda path: write_wav(path, np.zeros(0)), "without samples"),
        (lambda path: write_wav(path, np.zeros(4000)) and path.write_bytes(path.read_bytes()[:-1000]), "truncated"),
    ],
)
def test_a_bad_wav_is_one_sentence(
    run: Path, tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], object], says: str
) -> None:
    path = tmp_path / "bad.wav"
    make(path)
    code, message = failure(capsys, "predict", run, tones / "0_tester_0.wav", path, "--json")
    assert code == 1
    assert says in message
    assert str(path) in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (shutil.rmtree, "does not exist"),
        (lambda run: (run / "model.safetensors").write_bytes(b"12"), "expected the weights"),
        (lambda run: (run / "config.json").write_text('{"format": 99}'), "expected format 2, got 99"),
        (lambda run: (run / "config.json").unlink(), "has no config.json"),
    ],
)
def test_a_damaged_run_is_one_sentence(
    run: Path, tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object], says: str
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    damage(copy)
    for command in (["predict", copy, tones / "0_tester_0.wav"], ["evaluate", copy]):
        code, message = failure(capsys, *command)
        assert code == 1
        assert says in message
        assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("train fsdd-delay", "Did you mean 'fsdd-delays'"),
        ("train shd", "Did you mean 'shd-delays'"),
        ("reproduce shd", "Did you mean 'shd-delays'"),
        ("train fsdd-delays --optim.lrr 1", "got '--optim.lrr'. Did you mean '--optim.lr'"),
        ("train fsdd-delays --model.hiden=3", "Did you mean '--model.hidden'"),
        ("train fsdd-delays --budget.epochs many", "many"),
        ("train fsdd-delays --model.delays lerned", "learned"),
        ("train fsdd-delays --model.inputs 0", "inputs"),
        ("train fsdd-delays --budget.epochs -1", "epochs: expected a whole number in [1, inf), got -1"),
        ("train fsdd-delays --budget.batch-size 0", "batch_size"),
        ("train fsdd-delays --seed -1", "seed: expected a whole number in [0, 4294967295], got -1"),
        ("train fsdd-delays --optim.lr nan", "lr: expected a number"),
        ("train fsdd-delays --augment.mask-steps -2", "mask_steps"),
        ("train fsdd-delays --model.dropout 1.5", "dropout"),
        ("train fsdd-delays --model.max-delay-ms inf", "max_delay_ms"),
        ("train fsdd-delays --data.encoder.n-mels 0", "n_mels"),
        ("train fsdd-delays:cochlea --data.encoder.gain nan", "gain"),
        ("train digits-delays --decision.tail-ms -1", "tail_ms"),
        ("predict runs/none", "at least one recording"),
        ("predict fsdd - seven.wav", "or - for standard input, got both"),
        ("evaluate fsdd --data mine --root there", "expected --data or --root, got both"),
        ("fetch shdd", "name: got 'shdd'. Did you mean 'shd'? Expected one of shd, ssc, speech-commands, nmnist, mnist."),
        ("trian fsdd-delays", "got 'trian'. Did you mean 'train'"),
    ],
)
def test_misuse_exits_with_2_and_names_the_nearest(capsys: pytest.CaptureFixture[str], command: str, says: str) -> None:
    code, message = failure(capsys, *command.split())
    assert code == 2
    assert says in message


@pytest.mark.parametrize(
    ("data", "says"),
    [("nowhere", "does not exist"), (".", "found neither")],
)
def test_missing_data_leaves_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: str, says: str) -> None:
    code, message = failure(capsys, *TRAIN.split(), "--data.root", tmp_path / data, "--out", tmp_path / "runs" / "new", "--json")
    assert code == 1
    assert says in message
    assert not (tmp_path / "runs").exists()


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("os.fsync", full)
    code, message = failure(capsys, *TRAIN.split(), "--data.root", tones, "--out", tmp_path / "runs" / "new", "--json")
    assert code == 1
    assert message.endswith("safetensors: No space left on device. Check the path, its permissions and the space on the disk.\n")
    assert message.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_without_permission_is_one_sentence(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / "config.json").chmod(0)
    code, message = failure(capsys, "evaluate", copy)
    assert code == 1
    assert "Permission denied" in message


def test_fewer_than_one_answer_is_refused(run: Path, tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = failure(capsys, "predict", run, tones / "0_tester_0.wav", "--top", "0", "--json")
    assert code == 1
    assert "top: expected a number in [1, inf), got 0" in message


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ('{"recipe": {}}', "the field 'data'"),
        ('{"recipe": []}', "expected another type of recipe"),
        ('{"recipe": {"data": {"name": "fsd"}}}', "'fsdd'"),
    ],
)
def test_a_damaged_record_is_one_sentence(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], record: str, says: str) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / "run.json").write_text(record)
    code, message = failure(capsys, "evaluate", copy)
    assert code == 1
    assert says in message
    assert message.count("\n") == 1


def test_a_demo_without_training_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = failure(capsys, "demo", "--epochs", "0", "--out", tmp_path / "demo")
    assert code == 1
    assert "epochs: expected a whole number in [1, inf), got 0" in message
    assert not list(tmp_path.iterdir())


def test_debug_shows_where(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        main(["evaluate", str(tmp_path / "nowhere"), "--debug"])


def test_info_names_versions_and_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert "torch" in facts["versions"]
    assert any(name.startswith("lif_step on cpu") for name in facts["kernels"])


def test_a_limit_is_raised_for_one_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    predict = ["predict", "fsdd", str(path), "--json"]
    with allow(audio_hz=7000):
        assert main(predict) == 1
        assert "--allow audio_hz=8000" in capsys.readouterr().err
        assert main(["--allow", "audio_hz=8000", *predict]) == 0
        assert main([*predict, "--allow=audio_hz=9000,events=5"]) == 0
        assert os.environ[VARIABLE] == "audio_hz=7000"
    assert VARIABLE not in os.environ
    for words, says in (
        (["--allow", "evens=3"], "got 'evens'. Did you mean 'events'"),
        (["--allow", "events"], "expected NAME=NUMBER, such as events=1e9, got 'events'"),
        (["--allow", "events=-1"], r"events: expected a number in \(0, inf\)"),
        (["--allow"], "expected NAME=NUMBER"),
    ):
        capsys.readouterr()
        assert main([*predict, *words]) == 2
        assert re.search(says, capsys.readouterr().err)


def test_a_pipe_that_stands_for_a_file_is_read(tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tones / "0_tester_0.wav"
    read, write = os.pipe()  # as `predict fsdd <(cat a.wav)` gives it
    with os.fdopen(read, "rb"), os.fdopen(write, "wb") as pipe:
        writer = threading.Thread(target=lambda: (pipe.write(file.read_bytes()), pipe.close()))
        writer.start()
        assert main(["predict", "fsdd", f"/dev/fd/{read}", str(file), "--json"]) == 0
        writer.join()
    piped, whole = json.loads(capsys.readouterr().out)
    assert piped["top"] == whole["top"]
