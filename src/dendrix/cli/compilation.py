"""Compilation of kernels: a notice at the first use, and the command `warmup`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..compiled import watched_compilation
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

    compiled, start = list[str](), time.monotonic()
    with watched_compilation(compiled.append), progress("Compiling kernels", len(TASKS), unit="part", hidden=json) as bar:
        for name, task in TASKS.items():
            task()
            bar.advance()
            bar.report({"": name})
    seconds = time.monotonic() - start
    if json:
        print_json({"compiled": len(compiled), "seconds": round(seconds, 3)})
        return
    print(f"{len(compiled)} loops compiled in {seconds:.0f} s." if compiled else f"All kernels were compiled before ({seconds:.0f} s).")
