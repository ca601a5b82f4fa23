"""A comparison of dendrix before and after a change, in under three minutes: `dendrix bench --quick`.

Every case is timed in rounds by processor time on one thread, each time between two runs of a fixed loop of torch, the reference. A sample
is the time of the case over the mean of these two runs, so that a machine that slows down as a whole changes no sample. The rounds are
divided among fresh processes, because one process differs from the next in where its memory lies.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..errors import DendrixError, InputError
from ..train.memory import keep_freed_memory
from .harness import OURS, Case, Step, measure
from .machine import describe

Record = dict[str, Any]

CASES = (
    "lif-100",
    "lif-1024",
    "delay-training",
    "delay-first-layer",
    "delay-evaluation-5",
    "train-fsdd-synaptic",
    "train-commands-axonal",
    "wkv-256",
    "sdr-4096",
)
_PROCESSES, _ROUNDS = 5, 4
_LEAST_S = 0.03
"""Processor time of one sample; a shorter case is repeated within it."""
_FORMAT = 2  # 1: processes returned freed memory to the system
MARGIN = 0.03
"""Changes up to this ratio are called noise: processes of the same code differ by as much."""
_CONFIDENCE, _DRAWS = 0.99, 2_000


class BenchError(DendrixError):
    """A process of the measurement that failed, with its exit code."""


def measured(cases: Sequence[Case], tell: Callable[[str], None]) -> Record:
    """Compare each case with its reference, then time it in several processes.

    Args:
        cases: cases of the benchmark.
        tell: prints a line of progress.
    Returns:
        `cases`: for each name its size, the errors of its results, its samples [processes][rounds] and the median of its seconds.
    Raises:
        InputError: a result of dendrix differs from that of its reference.
    """
    found: Record = {"format": _FORMAT, "machine": describe(), "cases": {}}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for case in cases:
            found["cases"][case.name] = {"about": case.about, "size": case.size, "errors": _compared(case), "samples": [], "seconds": []}
    finally:
        torch.set_num_threads(threads)
    for number in range(_PROCESSES):
        tell(f"process {number + 1} of {_PROCESSES}")
        for name, (samples, seconds) in _in_a_process([case.name for case in cases]).items():
            found["cases"][name]["samples"].append(samples)
            found["cases"][name]["seconds"].append(seconds)
    return found


def _compared(case: Case) -> dict[str, float]:
    """Errors of dendrix against the reference of the case, which must be correct."""
    ours = next(contender for contender in case.contenders if contender.name == OURS)
    both = tuple(contender for contender in case.contenders if contender.name in (OURS, ours.equals))
    outcome = measure(replace(case, contenders=both, repeats=0))
    if OURS in outcome.refused:
        raise InputError(f"{case.name}: expected the results of {ours.equals}, but {outcome.refused[OURS]}. Mend dendrix before timing it.")
    return outcome.errors[OURS]


def _in_a_process(names: Sequence[str]) -> dict[str, tuple[list[float], float]]:
    code = "import sys; from dendrix.bench.quick import work; work(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", code, *names], stdout=subprocess.PIPE)
    if done.returncode:
        raise BenchError(f"{', '.join(names)}: expected a measurement, but its process ended with {done.returncode}; its error is above.")
    samples: dict[str, tuple[list[float], float]] = json.loads(done.stdout)
    return samples


def work(names: Sequence[str]) -> None:
    """Print the samples of these cases as JSON, and the median of their seconds; run in a process of its own."""
    from .suite import find

    keep_freed_memory()
    torch.set_num_threads(1)
    steps = {name: _built(find(name)) for name in names}
    reference = _reference()
    times = {name: _repeats(step) for name, step in steps.items()}
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    for _ in range(_ROUNDS):
        before = _processor_seconds(reference, 1)
        for name, step in steps.items():
            seconds = _processor_seconds(step, times[name])
            after = _processor_seconds(reference, 1)
            found[name][0].append(2 * seconds / (before + after))
            found[name][1].append(seconds)
            before = after
    print(json.dumps({name: (samples, float(np.median(seconds))) for name, (samples, seconds) in found.items()}))


def _built(case: Case) -> Step:
    ours = next(contender for contender in case.contenders if contender.name == OURS)
    step = ours.build(**case.size)
    step()  # compiles
    return step


def _repeats(step: Step) -> int:
    return max(1, round(_LEAST_S / max(_processor_seconds(step, 1), 1e-6)))


def _processor_seconds(step: Callable[[], object], times: int) -> float:
    """Mean processor time of a step of this process; the time in which other processes had the processor does not count."""
    start = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - start) / times


def _reference() -> Callable[[], object]:
    """A fixed loop that takes about 20 ms: a matrix product, a copy beyond the cache, and many small operations."""
    a, source, small = torch.ones(512, 512), torch.ones(2**22), torch.ones(16)
    target = torch.empty_like(source)

    def loop() -> None:
        for _ in range(4):
            torch.mm(a, a)
            target.copy_(source)
            for _ in range(200):
                small.add(1)

    loop()
    return loop


def compared(before: Record, after: Record) -> list[Record]:
    """Compare two records: for each case the ratio of the medians, after over before, its interval, and a verdict.

    The interval is that of a bootstrap over processes and rounds, at 99 %. A case is "faster" or "slower" if the whole interval lies
    beyond the margin, and else "within noise".

    Raises:
        InputError: the records are of another format, of another processor, or have no case of the same size in common.
    """
    expect_record(after, "after")
    expect_comparable(before, "before", after["machine"], {name: case["size"] for name, case in after["cases"].items()})
    both = [name for name, case in after["cases"].items() if before["cases"].get(name, {}).get("size") == case["size"]]
    return [{"name": name, **_verdict(*(np.asarray(record["cases"][name]["samples"]) for record in (before, after)))} for name in both]


def expect_record(record: Record, name: str) -> None:
    """Check that a record was written by `measured`; `name` is for the message."""
    cases, machine = record.get("cases"), record.get("machine")
    if (
        record.get("format") != _FORMAT
        or not isinstance(machine, dict)
        or not isinstance(cases, dict)
        or not all(isinstance(case, dict) and _is_table(case.get("samples")) for case in cases.values())
    ):
        raise InputError(f"{name}: expected a record of `dendrix bench --quick --out`, got another file. Measure it again.")


def expect_comparable(before: Record, name: str, machine: Record, sizes: dict[str, dict[str, int]]) -> None:
    """Check that a record can be compared with cases of these sizes on this machine; `name` is for the message.

    Raises:
        InputError: it is of another format or processor, or has none of the cases at the same size.
    """
    expect_record(before, name)
    if (was := before["machine"].get("cpu")) != (now := machine.get("cpu")):
        raise InputError(f"{name}: expected a record of this processor, {now}, got one of {was}. Measure both on one machine.")
    if not any(before["cases"].get(case, {}).get("size") == size for case, size in sizes.items()):
        raise InputError(f"{name}: expected a record of {', '.join(sizes)} at the same size, got none. Measure the same cases.")


def _is_table(samples: Any) -> bool:
    """Whether these are positive numbers, a row for each process."""
    try:
        found = np.asarray(samples, dtype=float)
    except (TypeError, ValueError):
        return False
    return found.ndim == 2 and found.size > 0 and bool((found > 0).all() and np.isfinite(found).all())


def _verdict(before: Any, after: Any) -> Record:
    generator = np.random.default_rng(0)
    ratios = [_drawn(after, generator) / _drawn(before, generator) for _ in range(_DRAWS)]
    low, high = (float(q) for q in np.quantile(ratios, ((1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2)))
    verdict = "faster" if high < 1 - MARGIN else "slower" if low > 1 + MARGIN else "within noise"
    return {"ratio": float(np.median(after) / np.median(before)), "low": low, "high": high, "verdict": verdict}


def _drawn(samples: Any, generator: np.random.Generator) -> float:
    """Median of a bootstrap draw of processes, and of rounds within each."""
    chosen = samples[generator.integers(len(samples), size=len(samples))]
    rounds = generator.integers(chosen.shape[1], size=chosen.shape)
    return float(np.median(np.take_along_axis(chosen, rounds, 1)))


def changed(before: Record, after: Record) -> list[str]:
    """Versions that differ between two records, which explain a difference without a change of dendrix."""
    keys = sorted(before["machine"].keys() | after["machine"].keys())
    both = [(key, before["machine"].get(key), after["machine"].get(key)) for key in keys]
    return [f"{key}: {was} before, {now} now" for key, was, now in both if was != now]


def markdown(record: Record, verdicts: Sequence[Record] = ()) -> str:
    """A record as a table, with the verdicts if it was compared."""
    found = {one["name"]: one for one in verdicts}
    lines = ["| case | processor ms | after / before | 99 % interval | verdict |", "|---|---|---|---|---|"]
    for name, case in record["cases"].items():
        one = found.get(name)
        cells = f"{one['ratio']:.3f} | {one['low']:.3f} to {one['high']:.3f} | {one['verdict']}" if one else " | | "
        lines.append(f"| {name} | {np.median(case['seconds']) * 1e3:.2f} | {cells} |")
    return "\n".join(lines) + "\n"
