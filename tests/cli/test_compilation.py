"""Tests of `dendrix warmup`, and of what it leaves for later commands to compile: nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dendrix.cli import main
from dendrix.cli.warmup_tasks import TASKS
from dendrix.compiled import watched_compilation

COUNT = """
import sys
from dendrix.cli import main
from dendrix.compiled import watched_compilation
loops = []
with watched_compilation(loops.append):
    code = main(sys.argv[1:])
print(len(loops), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.extended  # it compiles every kernel: about a minute in an empty cache
def test_warmup_runs_all_of_its_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warmup", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(["warmup", "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert first["compiled"] >= second["compiled"] == 0


def test_tasks_that_no_process_has_done_are_done_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    done = list[str]()
    own = {name: (lambda name=name: done.append(name)) for name in ("unknown to other processes", "this one too")}
    monkeypatch.setattr("dendrix.cli.warmup_tasks.TASKS", own)
    assert main(["warmup"]) == 0
    assert done == list(own)
    assert capsys.readouterr().out.startswith("All kernels were compiled before")


def test_warmup_needs_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("DENDRIX_CACHE", str(tmp_path / "file"))
    assert main(["warmup"]) == 1
    assert "Set DENDRIX_CACHE to one that can be written" in capsys.readouterr().err


@pytest.mark.slow
def test_each_task_compiles_nothing_the_second_time() -> None:
    """In this process the first time, so that each kernel of the task is in the cache, and in another one the second time."""
    name = "sparse codes"
    TASKS[name]()
    command = [sys.executable, "-m", "dendrix.cli.warmup_tasks", name]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == [name, []]


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "predict fsdd 7_george_0.wav",
        "exits run fsdd 7_george_0.wav",
        "energy fsdd",
        "lm generate novels It --max-new-tokens 3",
        "train fsdd-delays --data.root {tones} --model.hidden 16 --budget.epochs 1 --no-report --out {out}",
    ],
)
def test_a_command_compiles_nothing_the_second_time(words: str, tones: Path, tmp_path: Path) -> None:
    found = list[str]()
    for out in ("first", "second"):
        command = [word.format(tones=tones, out=tmp_path / out) for word in words.split()]
        done = subprocess.run([sys.executable, "-c", COUNT, *command], capture_output=True, text=True, env=os.environ, check=False)
        assert done.returncode == 0, done.stderr
        found.append(done.stderr.splitlines()[-1])
    assert found[1] == "0"


def test_what_is_compiled_is_counted() -> None:
    """A loop that no cache has yet."""
    from dendrix.compiled import compiled

    names = list[str]()
    space: dict[str, object] = {}
    exec(f"def one(x):\n    return x + {os.getpid()}.{os.times().elapsed:.0f}", {"__name__": __name__}, space)
    with watched_compilation(names.append):
        compiled(space["one"])(1.0)
    assert names == ["one"]
