"""Energy of the processor packages while the shipped digit network runs, by their counters (RAPL), where these can be read."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..pretrained import find_run
from ..run_folder.checkpoint import load_checkpoint
from ..runs.sample_data import sample_data

Record = dict[str, Any]
COUNTERS = Path("/sys/class/powercap")


class Counters:
    """Counters of the energy of all processor packages.

    Args:
        folder: folder of the counters of the operating system.
    """

    def __init__(self, folder: Path = COUNTERS):
        self.packages = sorted(folder.glob("intel-rapl:?")) + sorted(folder.glob("intel-rapl:??"))

    def refused(self) -> str:
        """Return why there is nothing to read; empty if there is."""
        if not self.packages:
            return "the processor shows no energy counters (no intel-rapl in /sys/class/powercap)"
        try:
            self.read()
        except OSError as error:
            return f"the energy counters of the processor cannot be read ({error.strerror}); they need the rights of the administrator"
        return ""

    def read(self) -> list[int]:
        """Return the counters, in microjoules."""
        return [int((package / "energy_uj").read_text()) for package in self.packages]

    def joules(self, before: list[int], after: list[int]) -> float:
        """Return the energy between two readings, with at most one overflow of each counter."""
        total = 0
        for package, first, last in zip(self.packages, before, after, strict=True):
            total += last - first if last >= first else last - first + int((package / "max_energy_range_uj").read_text()) + 1
        return total / 1e6


def measured(seconds: float = 5.0, folder: Path = COUNTERS) -> Record:
    """Measure the power while the network runs over its samples again and again, and while nothing runs.

    Args:
        seconds: duration of each of the two measurements.
        folder: folder of the counters of the operating system.
    Returns:
        power in W, inputs per second, and the energy of an input above that of an idle processor, in mJ; or why there are none.
    """
    counters = Counters(folder)
    if why := counters.refused():
        return {"refused": why}
    checkpoint = load_checkpoint("fsdd")
    batches = list(sample_data(checkpoint, find_run("fsdd")).batches())
    inputs = 0

    @torch.no_grad()
    def run() -> None:
        nonlocal inputs
        for batch in batches:
            checkpoint.model(batch.x, None, batch.valid)
            inputs += len(batch.x)

    run()  # compiles the kernels
    inputs = 0
    busy, took = _power(counters, run, seconds)
    idle, _ = _power(counters, lambda: time.sleep(0.05), seconds)
    return {
        "watts": busy,
        "idle_watts": idle,
        "inputs_per_second": inputs / took,
        "millijoules": 1e3 * (busy - idle) * took / inputs,
    }


def _power(counters: Counters, work: Callable[[], None], seconds: float) -> tuple[float, float]:
    """Mean power in W during repeated work, and its duration in s."""
    before, start = counters.read(), time.perf_counter()
    while (took := time.perf_counter() - start) < seconds:
        work()
    took = time.perf_counter() - start
    return counters.joules(before, counters.read()) / took, took


def table(found: Record) -> str:
    """The result as sentences in Markdown."""
    if "refused" in found:
        return f"Not measured: {found['refused']}."
    return (
        f"The packages take {found['watts']:.1f} W while the network runs in PyTorch, and {found['idle_watts']:.1f} W while it does not: "
        f"{found['millijoules']:.2f} mJ for an input above idle, at {found['inputs_per_second']:,.0f} inputs per second. All other work of "
        "the machine is contained."
    )
