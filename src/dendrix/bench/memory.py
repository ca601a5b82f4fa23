"""Peak memory of one step, measured in a fresh process: `python -m dendrix.bench.memory CASE CONTENDER SIZE THREADS`.

The peak is the greatest resident size of the process during the step, minus the size before it, when all code is loaded and inputs,
output gradients and modules exist. The overhead is the peak minus the size of the results.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..core import chosen_kernels
from .harness import Case, Contender

_PROC = Path("/proc/self")


@dataclass(frozen=True)
class Footprint:
    """Bytes of one step, and its kernels."""

    peak: int
    results: int
    kernels: dict[str, str]

    @property
    def overhead(self) -> int:
        """Bytes beyond inputs, parameters and results."""
        return max(self.peak - self.results, 0)


def footprint(case: Case, contender: Contender, threads: int) -> Footprint:
    """Measure one contender in its own process.

    Raises:
        RuntimeError: the process failed; with the end of its messages.
    """
    command = [sys.executable, "-m", "dendrix.bench.memory", case.name, contender.name, json.dumps(case.size), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Measuring the memory of {contender.name} in {case.name} failed: {done.stderr.strip()[-300:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Footprint(**found)


def measure_here(case: Case, contender: Contender) -> Footprint:
    """Measure one step in this process, which must be a fresh one. A small step first loads the code."""
    contender.build(**case.warm)()
    step = contender.build(**case.size)
    if _PROC.exists():
        (_PROC / "clear_refs").write_text("5")  # sets the peak to the current size
    before = _peak()
    results = step()
    size = sum(result.numel() * result.element_size() for result in results.values())
    return Footprint(_peak() - before, size, chosen_kernels())


def _peak() -> int:
    """The greatest resident size of this process so far, in bytes."""
    if _PROC.exists():
        # Not getrusage, whose maximum on Linux includes the parent process.
        status = (_PROC / "status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    import resource  # POSIX only

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Entry point of the fresh process; prints one line of JSON."""
    from dataclasses import asdict, replace

    from .suite import find

    name, contender, size, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    case = replace(find(name), size=json.loads(size))
    chosen = next(c for c in case.contenders if c.name == contender)
    print(json.dumps(asdict(measure_here(case, chosen))))


if __name__ == "__main__":
    main()
