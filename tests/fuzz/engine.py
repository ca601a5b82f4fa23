"""Runs of one target: a value that comes back, or an error that the reader documents, in bounded time and memory."""

import contextlib
import hashlib
import itertools
import multiprocessing
import os
import pickle
import resource
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from .readers import ERRORS, TARGETS, Target, equal

MEMORY = 1 << 30
"""Address space that reading may take beyond what the process has, in bytes."""
LEAST = 25
"""Inputs that are tried whatever time they take."""
SECONDS = 5.0
"""Longest time for one input, of the processor; five times as much of the clock, as the machine may have other work."""
CORPUS = Path(__file__).parent / "corpus"
SCRATCH = Path("/dev/shm" if Path("/dev/shm").is_dir() else tempfile.gettempdir())


class TooSlow(BaseException):
    """An input took longer than `SECONDS`."""


@dataclass
class Outcome:
    """What a run found."""

    inputs: int = 0
    values: int = 0
    """Inputs that were read in spite of the damage."""
    worst_s: float = 0.0
    """Longest time for one input, of the processor, in s."""
    peak_mb: float = 0.0
    """Memory of the whole process, in MB."""
    findings: dict[str, bytes] = field(default_factory=dict)
    """An input for each kind of finding."""


class Fuzzer:
    """Tries inputs on one target, in a folder of its own."""

    def __init__(self, target: Target) -> None:
        self.target, self.outcome = target, Outcome()
        self.folder = Path(tempfile.mkdtemp(dir=SCRATCH))

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def try_input(self, content: bytes) -> None:
        """Read an input and remember what went wrong, if anything."""
        place = self.folder / "input"
        place.mkdir()
        (self.folder / "current").write_bytes(content)
        started = time.process_time()
        try:
            with within(SECONDS):
                problem = self._problem(place, content)
        except TooSlow:
            problem = f"took more than {SECONDS} s"
        self.outcome.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.outcome.worst_s = max(self.outcome.worst_s, time.process_time() - started)
        self.outcome.inputs += 1
        shutil.rmtree(place, ignore_errors=True)
        if problem is not None:
            self.outcome.findings.setdefault(problem, content)

    def try_known(self, name: str) -> None:
        """Read the good inputs and those of the corpus."""
        for content in self.target.seeds():
            self.try_input(self.target.wrap(content))
        for content in corpus(name):
            self.try_input(content)

    def _problem(self, place: Path, content: bytes) -> str | None:
        try:
            value = self.target.read(place, content)
        except ERRORS as error:
            if isinstance(error, OSError) and error.errno is None:
                return _named(error)
            return "an error of several lines" if "\n" in str(error).strip() else None
        except BaseException as error:  # a panic of Rust is no Exception
            if isinstance(error, (TooSlow, KeyboardInterrupt)):
                raise
            return _named(error)
        self.outcome.values += 1
        if self.target.again is not None:
            try:
                if not equal(self.target.again(place, value), value):
                    return "another value came back"
            except ERRORS as error:
                return f"what was read is refused when it comes back: {_named(error)}"
        return None


def _named(error: BaseException) -> str:
    """The kind of an error and where it was raised last in dendrix."""
    where, trace = "?", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "/dendrix/" in file:
            where = f"{file.rpartition('/dendrix/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:100]}"


def fuzz(name: str, *, seconds: float, first_seed: int = 0) -> Outcome:
    """Try the corpus and then damaged inputs for some time, in this process."""
    fuzzer = Fuzzer(TARGETS[name])
    ends = time.perf_counter() + seconds

    def test(content: bytes) -> None:
        if time.perf_counter() < ends or fuzzer.outcome.inputs < LEAST:
            fuzzer.try_input(content)

    checks = list(HealthCheck)
    quiet = settings(max_examples=30, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=checks)
    try:
        with limited_memory(MEMORY), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fuzzer.try_known(name)
            for number in itertools.count(first_seed):
                if time.perf_counter() >= ends and fuzzer.outcome.inputs >= LEAST:
                    break
                seed(number)(quiet(given(fuzzer.target.inputs())(test)))()
    finally:
        fuzzer.close()
    return fuzzer.outcome


def fuzz_apart(name: str, run: Callable[[str], Outcome], longest: float) -> Outcome:
    """Run a target in a process of its own, which may crash or hang: then the input that it had at hand is the finding."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        result = Path(folder, "outcome")
        process = multiprocessing.get_context("fork").Process(target=_run_apart, args=(name, run, folder, result))
        process.start()
        process.join(longest)
        ended = "hung" if process.is_alive() else f"crashed with code {process.exitcode}"
        if process.is_alive():
            process.kill()
            process.join()
        if result.exists():
            found: Outcome = pickle.loads(result.read_bytes())
            return found
        content = next((path.read_bytes() for path in Path(folder).glob("*/current")), b"")
        return Outcome(findings={ended: content})


def _run_apart(name: str, run: Callable[[str], Outcome], folder: str, result: Path) -> None:
    tempfile.tempdir = folder
    global SCRATCH
    SCRATCH = Path(folder)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)  # decoders in C complain there
    outcome = run(name)
    part = result.with_name("part")
    part.write_bytes(pickle.dumps(outcome))
    part.rename(result)


def corpus(name: str) -> list[bytes]:
    """Inputs that once broke a reader."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


def keep(name: str, content: bytes) -> Path:
    """Add an input to the corpus."""
    path = CORPUS / name / hashlib.sha256(content).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@contextlib.contextmanager
def limited_memory(more: int) -> Iterator[None]:
    """Let allocations fail that need so many bytes more than the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TooSlow after so many seconds of this process, or five times as many of the clock."""

    def late(*_: Any) -> None:
        raise TooSlow

    timers = {signal.ITIMER_PROF: (signal.SIGPROF, seconds), signal.ITIMER_REAL: (signal.SIGALRM, 5 * seconds)}
    before = {number: signal.signal(number, late) for number, _ in timers.values()}
    for timer, (_, after) in timers.items():
        signal.setitimer(timer, after)
    try:
        yield
    finally:
        for timer in timers:
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
