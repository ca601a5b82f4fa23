"""Compilation of kernels: a notice at the first use, and the command `warmup`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from json import loads

from ..compiled import cache_folder, watched_compilation
from ..errors import InputError
from ..progress import progress
from .output import print_json


@contextmanager
def announced_compilation() -> Iterator[None]:
    """Say on a terminal that kernels are being compiled, and how many so far; the line is removed at the end."""
    if not sys.stderr.isatty():
        yield
        return
    names = list[str]()

    def say(name: str) -> None:
        names.append(name)
        line = f"dendrix: compiling kernels, once for this machine: {len(names)} so far. `dendrix warmup` compiles all of them."
        print(f"\r{line}\033[K", end="", file=sys.stderr, flush=True)

    try:
        with watched_compilation(say):
            yield
    finally:
        if names:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def warmup(json: bool = False) -> None:
    """Compile the kernels for this machine, so that no later command has to. They are kept in a cache on disk.

    Args:
        json: print JSON.
    """
    from .warmup_tasks import TASKS

    if cache_folder() is None:
        raise InputError("warmup: expected a folder in which kernels can be kept. Set DENDRIX_CACHE to one that can be written.")
    compiled, left, start = list[str](), list(TASKS), time.monotonic()
    with progress("Compiling kernels", len(TASKS), unit="part", hidden=json) as bar:
        for name, loops in _done_in_parallel(left):
            left.remove(name)
            compiled += loops
            bar.advance()
            bar.report({"": name})
        for name in left:  # a process could not start, or ended: here its error is seen
            with watched_compilation(compiled.append):
                TASKS[name]()
            bar.advance()
    seconds = time.monotonic() - start
    if json:
        print_json({"compiled": len(compiled), "seconds": round(seconds, 3)})
        return
    print(f"{len(compiled)} loops compiled in {seconds:.0f} s." if compiled else f"All kernels were compiled before ({seconds:.0f} s).")


def _done_in_parallel(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Divide tasks among processes, one for each core up to four; yields what each has done, and the loops that were compiled for it."""
    count = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 4)
    read, write = os.pipe()  # of all processes: a line of them is short enough to be written as a whole
    processes = list[subprocess.Popen[bytes]]()
    try:
        with open(read) as lines:
            with open(write, "wb") as end:
                for first in range(count):
                    command = [sys.executable, "-m", f"{__package__}.warmup_tasks", *names[first::count]]
                    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
                    processes.append(subprocess.Popen(command, stdout=end, stderr=subprocess.DEVNULL, env=environment))
            for line in lines:
                name, loops = loads(line)
                yield name, loops
    finally:
        for process in processes:
            process.kill()
            process.wait()
