"""Fuzzing that is guided by coverage, with atheris. The only module that imports atheris."""

import itertools
import os
import pickle
import sys
import tempfile
import time
from pathlib import Path

from .engine import MEMORY, Fuzzer, Outcome, corpus, limited_memory
from .readers import TARGETS

_LONGEST = 1 << 16
"""Largest input, in bytes."""


def fuzz_guided(name: str, *, seconds: float, first_seed: int = 0) -> Outcome:
    """Try inputs that reach new parts of dendrix; the corpus and the good inputs are where the search begins.

    libFuzzer ends its process, so the search runs in a child, which writes what it found once a second.
    """
    with tempfile.TemporaryDirectory() as folder:
        result, seeds = Path(folder, "found"), Path(folder, "seeds")
        seeds.mkdir()
        for number, content in enumerate((*TARGETS[name].seeds(), *corpus(name))):
            (seeds / str(number)).write_bytes(content)
        if (child := os.fork()) == 0:
            _search(name, seconds, first_seed, seeds, result)
            os._exit(0)
        os.waitpid(child, 0)
        found: Outcome = pickle.loads(result.read_bytes())
        return found


def _search(name: str, seconds: float, first_seed: int, seeds: Path, result: Path) -> None:
    import atheris

    fuzzer, count, saved = Fuzzer(TARGETS[name]), itertools.count(1), [0.0]

    def test(content: bytes) -> None:
        fuzzer.try_input(fuzzer.target.wrap(content))
        if next(count) == 1 or time.perf_counter() - saved[0] > 1:
            saved[0] = time.perf_counter()
            part = result.with_name("part")
            part.write_bytes(pickle.dumps(fuzzer.outcome))
            part.rename(result)

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for module in [module for key, module in sys.modules.items() if key.startswith("dendrix.data") and module is not None]:
        for function in [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]:
            if hasattr(function, "__code__"):
                atheris.instrument_func(function)
    options = [f"-max_total_time={int(seconds) or 1}", f"-seed={first_seed % 2**32 or 1}", f"-max_len={_LONGEST}", "-rss_limit_mb=0"]
    atheris.Setup([sys.argv[0], *options, str(seeds)], test)
    with limited_memory(2 * MEMORY):
        atheris.Fuzz()
