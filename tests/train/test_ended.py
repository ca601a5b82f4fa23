"""What ends a training from outside, for real: a signal, a disk without space, and one of several processes that dies."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dendrix.cli import main
from dendrix.run_folder.checkpoint import load_checkpoint
from dendrix.run_folder.state import states

EPOCHS = 12
MAY_FILL = """
import errno, os, sys, time
sync, full = os.fsync, sys.argv[1]
def fsync(file):
    if os.path.exists(full):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    sync(file)
    time.sleep(0.1)
os.fsync = fsync
from dendrix.cli import main
sys.exit(main(sys.argv[2:]))
"""
"""A command on a slow disk, so that it cannot end before it is disturbed; the disk is full once the file in its first argument is there."""


def words(tones: Path, run: Path) -> list[str]:
    """A training by the command line, of a network so small that the clock is the start of Python."""
    sizes = ["--data.encoder.n-mels=8", "--model.inputs=8", "--model.hidden", "12", "--budget.batch-size=10"]
    length = [f"--budget.epochs={EPOCHS}", f"--budget.patience={EPOCHS}"]
    return ["train", "fsdd-delays", *sizes, *length, "--json", f"--data.root={tones}", f"--out={run}"]


def started(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "DENDRIX_CACHE": str(folder / "cache")}
    command = [sys.executable, *arguments]
    # A shell starts background jobs with Ctrl-C ignored, and a child inherits that: these tests may run in one.
    heeded = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings, preexec_fn=heeded)


def first_epoch(training: subprocess.Popen[str], run: Path) -> None:
    while not states(run) and training.poll() is None:
        time.sleep(0.005)


@pytest.fixture
def training(tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    """A training into `run` with its first epoch done."""
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "cache"))
    process = started(["-c", MAY_FILL, str(tmp_path / "full"), *words(tones, tmp_path / "run")], tmp_path)
    first_epoch(process, tmp_path / "run")
    return process


def resumed(tones: Path, run: Path) -> None:
    """Resume by the same words, to the end."""
    assert main([*words(tones, run), "--resume"]) == 0
    assert json.loads((run / "run.json").read_text())["progress"]["stopped"] == "finished"
    assert not states(run)
    assert not list(run.glob(".*"))


@pytest.mark.parametrize(("sent", "code"), [pytest.param(signal.SIGTERM, 143, marks=pytest.mark.extended), (signal.SIGINT, 130)])
def test_a_signal_ends_a_training_in_order(training: subprocess.Popen[str], tones: Path, tmp_path: Path, sent: int, code: int) -> None:
    run = tmp_path / "run"
    training.send_signal(sent)
    out, said = training.communicate(timeout=60)
    assert (training.returncode, out) == (code, "")
    sentence = rf"dendrix: interrupted in epoch \d+; the best network so far, of epoch \d+, is in {run}\. Continue with --resume\.\n"
    assert re.fullmatch(sentence, said)
    assert load_checkpoint(run).labels == tuple("0123456789")
    assert json.loads((run / "run.json").read_text())["progress"]["stopped"] == "interrupted"
    assert not list(run.glob(".*"))
    resumed(tones, run)


def fill(run: Path, _: int) -> None:
    """Fill the disk, as far as the training can tell."""
    run.with_name("full").touch()


def allow_no_more(run: Path, process: int) -> None:
    """Let no later file be larger than the first state: the next one, with more metrics, is cut off half way."""
    size = states(run)[0].stat().st_size
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(
    ("stop", "why"), [(fill, "No space left on device"), pytest.param(allow_no_more, "File too large", marks=pytest.mark.extended)]
)
def test_a_full_disk_ends_a_training_with_one_sentence(
    training: subprocess.Popen[str], tones: Path, tmp_path: Path, stop: Callable[[Path, int], None], why: str
) -> None:
    run = tmp_path / "run"
    stop(run, training.pid)
    out, said = training.communicate(timeout=60)
    assert (training.returncode, out) == (1, "")
    assert re.fullmatch(rf"dendrix: {run}/[\w.-]+: {why}\. Check the path, its permissions and the space on the disk\.\n", said)
    assert load_checkpoint(run).labels == tuple("0123456789")
    assert not list(run.glob(".*"))
    resumed(tones, run)


@pytest.mark.parametrize("what", ["renamed", pytest.param("removed", marks=pytest.mark.extended)])
def test_a_folder_that_is_lost_ends_a_training_at_once(training: subprocess.Popen[str], tones: Path, tmp_path: Path, what: str) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    run.rename(other)
    if what == "removed":
        shutil.rmtree(other)
    out, said = training.communicate(timeout=60)
    assert (training.returncode, out) == (1, "")
    assert re.fullmatch(
        rf"dendrix: {run}: expected the folder of this training, but it was renamed or removed\. .* --resume to go on\.\n", said
    )
    assert not run.exists()
    if what != "removed":
        assert len(states(other)) > 0
        other.rename(run)
        resumed(tones, run)


@pytest.mark.extended
def test_a_process_of_torchrun_that_dies_ends_the_others_in_order(tones: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    training = started([*torchrun, "-m", "dendrix", *words(tones, run)], tmp_path)
    first_epoch(training, run)
    children = Path(f"/proc/{training.pid}/task/{training.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    said = training.communicate(timeout=60)[1]
    assert training.returncode == 1  # beside our sentence torchrun has a report of its own
    (ours,) = [line for line in said.splitlines() if line.startswith("dendrix: ")]
    assert "another one has ended. Start them again with --resume." in ours or "Continue with --resume." in ours
    assert load_checkpoint(run).labels == tuple("0123456789")
    assert states(run)
    assert not list(run.glob(".*"))
