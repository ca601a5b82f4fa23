"""Standard streams that are closed, and a lack of memory: one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dendrix.cli.errors import sentence


def run(redirected: str, *words: str) -> subprocess.CompletedProcess[str]:
    shell = ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-m", "dendrix", *words]
    return subprocess.run(shell, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_a_closed_output_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    done = run(">&-", "demo", "--out", str(tmp_path / "out"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("dendrix: Standard output: expected an open one, but it is closed.")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", ["predict fsdd -", "exits run fsdd -"])
def test_a_closed_input_is_one_sentence(words: str) -> None:
    done = run("<&-", *words.split())
    assert (done.returncode, done.stdout) == (1, "")
    if words.startswith("predict"):
        assert done.stderr.startswith("dendrix: Standard input: expected an open one to read from, but it is closed.")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("work", "size"),
    [
        (lambda: torch.empty(10**15), "4000000000000000 bytes"),
        (lambda: __import__("numpy").empty(10**15), "7.11 PiB"),
        (lambda: bytearray(10**17), ""),
    ],
)
def test_a_lack_of_memory_is_told_with_its_size(work: object, size: str) -> None:
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        work()  # type: ignore[operator]
    found = sentence(caught.value)
    assert found.startswith("The memory does not suffice")
    assert size in found


def test_the_names_of_the_parser_do_not_show() -> None:
    done = run("", "serve", "run", "--limits.stall-s", "1e12")
    assert done.returncode == 2
    assert done.stderr.startswith("dendrix: limits.stall_s: expected a number in [1, 86400], got 1000000000000")
