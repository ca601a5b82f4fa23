"""`make fuzz`: try damaged inputs on every reader for some time each, in a process with bounded memory; exit code 1 for findings.

With `--engine atheris`, coverage guides the search (Linux; pip install atheris).
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from .engine import fuzz, fuzz_apart, keep
from .readers import TARGETS

LONGEST = 30.0
"""Time beside that of the search after which a process hangs, in s."""

parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
parser.add_argument("names", nargs="*", help=f"readers; all by default: {', '.join(TARGETS)}")
parser.add_argument("--seconds", type=float, default=10.0, help="time for each reader")
parser.add_argument("--seed", type=int, default=None, help="of the first inputs; by default the time of day")
parser.add_argument("--engine", choices=("hypothesis", "atheris"), default="hypothesis")
parser.add_argument("--keep", action="store_true", help="add the inputs of findings to the corpus")


def main() -> int:
    """Run each reader in a process of its own, print a table, and return the exit code."""
    asked = parser.parse_args()
    seed = int(time.time()) if asked.seed is None else asked.seed
    if asked.engine == "atheris":
        from .guided import fuzz_guided as run
    else:
        run = fuzz
    total, findings = 0, 0
    print(f"{'reader':16} {'inputs':>8} {'read':>8} {'worst s':>8} {'peak MB':>8}  findings (seed {seed}, {asked.engine})")
    for name in asked.names or TARGETS:
        found = fuzz_apart(name, partial(run, seconds=asked.seconds, first_seed=seed), 2 * asked.seconds + LONGEST)
        total, findings = total + found.inputs, findings + len(found.findings)
        row = f"{found.inputs:8} {found.values:8} {found.worst_s:8.2f} {found.peak_mb:8.0f}"
        print(f"{name:16} {row}  {'; '.join(found.findings) or 'none'}", flush=True)
        if asked.keep:
            for content in found.findings.values():
                print(f"  kept {keep(name, content).relative_to(Path(__file__).parent)}", flush=True)
    print(f"{total:,} inputs, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
