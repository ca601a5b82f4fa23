"""Time and memory of the overlap search by number of segments: `python -m dendrix.bench.sdr_growth 100000 1000000 10000000`.

Each number runs in a fresh process, so that resident memory is that of the index only; ten million segments take about a minute and
1 GiB. Segments have 20 of 16,384 synapses, probes 320 active cells; a query lists the segments with an overlap of 5 or more.
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ..sdr import SDR, SegmentIndex

_N, _A, _S, _THETA, _PROBES = 16_384, 320, 20, 5, 64
_BATCH = 2**16


@dataclass(frozen=True)
class Growth:
    """Time and memory of an index with a number of segments, on one thread."""

    segments: int
    inserted_per_second: float
    resident_per_synapse: float
    """Growth of the resident size of the process, in bytes."""
    held_per_synapse: float
    """Size reported by the index, in bytes."""
    peak_mib: float
    """Greatest growth of the resident size, including the inserted batch and the matches."""
    probes_per_second: float
    """64 probes in one call."""
    single_probes_per_second: float
    """One probe per call."""
    matches: int


def measure_here(segments: int) -> Growth:
    """Fill and query an index in this process, which must be a fresh one (Linux)."""
    rng = np.random.default_rng(0)
    probes = SDR.random(_N, _A, _PROBES, rng)
    warm = SegmentIndex(_N)
    warm.insert(SDR.random(_N, _S, _BATCH, rng))
    warm.matches(probes, _THETA)
    del warm
    before, seconds = _resident("VmRSS"), 0.0
    index = SegmentIndex(_N)
    for low in range(0, segments, _BATCH):
        batch = SDR.random(_N, _S, min(_BATCH, segments - low), rng)
        start = time.perf_counter()
        index.insert(batch)
        seconds += time.perf_counter() - start
    del batch
    grown = _resident("VmRSS") - before
    start = time.perf_counter()
    found = index.matches(probes, _THETA)
    together = time.perf_counter() - start
    start = time.perf_counter()
    for probe in probes[:8]:
        index.matches(probe, _THETA)
    single = time.perf_counter() - start
    synapses = segments * _S
    return Growth(
        segments,
        segments / seconds,
        grown / synapses,
        index.nbytes / synapses,
        (_resident("VmHWM") - before) / 2**20,
        _PROBES / together,
        8 / single,
        len(found.segments),
    )


def measure(segments: int) -> Growth:
    """Run `measure_here` in its own process."""
    command = [sys.executable, "-m", "dendrix.bench.sdr_growth", "--here", str(segments)]
    return Growth(**json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def _resident(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) * 1024


def main() -> None:
    """Print a table, one row per number of segments."""
    words = sys.argv[1:]
    if words[:1] == ["--here"]:
        print(json.dumps(asdict(measure_here(int(words[1])))))
        return
    heads = ("segments", "inserted/s", "resident B/synapse", "held B/synapse", "peak MiB", "probes/s, 64 a call", "probes/s, 1 a call")
    table = Table(*heads)
    for row in map(measure, map(int, words or ["100000", "1000000"])):
        cells = (row.inserted_per_second, row.resident_per_synapse, row.held_per_synapse, row.peak_mib)
        speeds = (row.probes_per_second, row.single_probes_per_second)
        table.add_row(f"{row.segments:,}", *(f"{cell:,.1f}" for cell in cells + speeds))
    Console().print(table)


if __name__ == "__main__":
    main()
