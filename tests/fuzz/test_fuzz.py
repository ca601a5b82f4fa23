"""A short run over every reader: no finding, and the inputs that once broke a reader no longer do."""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import dendrix
from fuzz.engine import Fuzzer, corpus
from fuzz.readers import TARGETS, Target

TESTS = Path(__file__).parents[1]
SOURCE = Path(dendrix.__file__).parents[1]


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_read_and_the_corpus_is_harmless(name: str) -> None:
    fuzzer = Fuzzer(TARGETS[name])
    try:
        fuzzer.try_known(name)
    finally:
        fuzzer.close()
    assert not fuzzer.outcome.findings
    good = len(TARGETS[name].seeds())
    assert fuzzer.outcome.inputs == good + len(corpus(name))
    assert fuzzer.outcome.values >= good


def test_damaged_inputs_are_refused_in_bounded_time_and_memory() -> None:
    words = [sys.executable, "-m", "fuzz", "--seconds", "0.1", "--seed", "0"]
    path = {"PYTHONPATH": f"{SOURCE}:{TESTS}", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\S+) +(\d+) +(\d+) +([\d.]+) +(\d+)  none$", done.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == list(TARGETS)
    assert min(int(row[1]) for row in rows) >= 25


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (lambda *_: [][1], "IndexError"),
        (lambda *_: np.zeros(1 << 40), "MemoryError"),
        (lambda *_: time.sleep(60), "took more than"),
        (lambda *_: (_ for _ in ()).throw(OSError("no number")), "OSError"),
    ],
)
def test_a_broken_reader_is_found(read: object, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.engine.SECONDS", 0.1)
    fuzzer = Fuzzer(Target(lambda: [b"x"], read))  # type: ignore[arg-type]
    fuzzer.try_input(b"x")
    fuzzer.close()
    assert says in next(iter(fuzzer.outcome.findings))


def test_a_value_that_does_not_come_back_is_found() -> None:
    fuzzer = Fuzzer(Target(lambda: [b"x"], lambda *_: 1, lambda *_: 2))
    fuzzer.try_input(b"x")
    fuzzer.close()
    assert list(fuzzer.outcome.findings) == ["another value came back"]
