"""Profiles of training steps: operations by time, and the fraction of the machine's limits that each reaches.

The limits are the speed of a large product and of a large copy, measured in the same process. An operation could take as little
as its multiply-adds at the first speed, or its inputs and its result at the second, whichever is longer. The loops of dendrix are
compared with the second one only, which is a lower bound.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from ..core.numbers import mixed_seed
from ..data import Dataset, Splits
from ..errors import InputError, MissingExtraError
from ..run_folder.state import Progress
from ..train.recipe import Recipe, load_splits
from .machine import describe

Record = dict[str, Any]

STEPS, _WARM, _WARM_S, _EPOCHS = 6, 2, 1.0, 6
_SHOWN = 12
"""Operations that are listed by name."""
_SHD = dict(clips=1_280, channels=140, classes=20, shortest=60, longest=120, mean=0.3)
"""Lengths in steps of 10 ms, and spikes per bin of five units, about those of the Spiking Heidelberg Digits."""
_PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "addmm_": (1, 2), "baddbmm": (1, 2), "baddbmm_": (1, 2)}
"""Matrix products, and which of their inputs are multiplied."""


class _EnoughError(Exception):
    """Ends the training after the profiled steps."""


def measured(recipes: Mapping[str, Recipe], threads: Sequence[int], steps: int, tell: Callable[[str], None]) -> Record:
    """Profile steps of training.

    Args:
        recipes: by name. Random counts of the size of SHD are used for a recipe of SHD whose data are not found.
        threads: numbers of threads to measure with.
        steps: profiled steps of the optimiser.
        tell: prints a line of progress.
    Raises:
        FileNotFoundError: other data are not found.
        InputError: the data have too few batches.
        MissingExtraError: accelerate is missing.
    """
    found: Record = {"machine": describe(), "profiles": []}
    before = torch.get_num_threads()
    try:
        for count in threads:
            torch.set_num_threads(count)
            for name, recipe in recipes.items():
                tell(f"{name}, {count} threads")
                found["profiles"].append({"recipe": name, "threads": count, **profiled(recipe, steps)})
    finally:
        torch.set_num_threads(before)
    return found


def profiled(recipe: Recipe, steps: int = STEPS) -> Record:
    """Profile steps at the beginning of a training, after some that are not measured.

    Returns:
        `data`, `items` per step, `seconds` and `processor_seconds` per step without the profiler, `gflops` and `gigabytes` per second of
        the machine, and `operations`: name, calls and
        seconds per step in the operation itself, and `of_limit`; the shorter ones in one row.
    """
    splits, data = _splits(recipe)
    learner = recipe.learner(splits, _accelerator(recipe.seed))
    plain, traced = _Window(_WARM, steps), _Window(0, steps)
    watch = profile(activities=[ProfilerActivity.CPU], record_shapes=True)

    began = time.process_time()

    def before_step() -> None:
        # oneDNN compiles for every new length of a batch, so short steps need more of them until most lengths were seen.
        if plain.count == _WARM and time.process_time() - began < _WARM_S:
            return
        if plain.passed():
            if traced.count == 0:
                watch.__enter__()  # type: ignore[no-untyped-call]
            if traced.passed():
                watch.__exit__(None, None, None)  # type: ignore[no-untyped-call]
                raise _EnoughError

    learner.before_step = before_step
    try:
        for epoch in range(_EPOCHS):
            learner.train(Progress(epoch=epoch))
    except _EnoughError:
        pass
    else:
        raise InputError(
            f"recipe: expected {2 * steps + _WARM} training steps or more in {_EPOCHS} epochs, got fewer. Choose one with more batches."
        )
    limits = machine_limits()
    items = getattr(recipe.budget, "batch_size", 1)
    times = plain.per_step()
    # Processor time is hardly disturbed by other processes, but with several threads it is the sum of them.
    total = times["processor_seconds" if torch.get_num_threads() == 1 else "seconds"]
    return {"data": data, "items": items, "steps": steps, **times, **limits, "operations": _operations(watch, steps, total, limits)}


class _Window:
    """Time of `steps` calls, after `warm` ones."""

    def __init__(self, warm: int, steps: int):
        self.warm, self.steps, self.count = warm, steps, 0
        self._marks: list[tuple[float, float]] = []

    def passed(self) -> bool:
        """Count a call; return whether it ends the window, or the window was over before."""
        if self.count > self.warm + self.steps:
            return True
        if self.count in (self.warm, self.warm + self.steps):
            self._marks.append((time.perf_counter(), time.process_time()))
        self.count += 1
        return self.count > self.warm + self.steps

    def per_step(self) -> Record:
        """Wall-clock and processor time of a step."""
        (wall, work), (wall_end, work_end) = self._marks
        return {"seconds": (wall_end - wall) / self.steps, "processor_seconds": (work_end - work) / self.steps}


def machine_limits() -> dict[str, float]:
    """Speed of a large product or convolution, whichever is faster, and of a large copy, by processor time.

    Returns:
        `gflops`, 10^9 operations per second, and `gigabytes`, 10^9 bytes read and written per second. Torch computes products by BLAS and
        convolutions by oneDNN, which use different instructions on some processors.
    """
    a, weight = torch.ones(1024, 1024), torch.ones(256, 256, 1, 1)
    frames = torch.ones(64, 110, 1, 256).permute(0, 3, 2, 1)
    source = torch.ones(2**24)
    target = torch.empty_like(source)
    product = 2 * 1024**3 / _least(lambda: a @ a)
    convolution = 2 * 64 * 110 * 256**2 / _least(lambda: torch.nn.functional.conv2d(frames, weight))
    return {"gflops": max(product, convolution) / 1e9, "gigabytes": 8 * 2**24 / _least(lambda: target.copy_(source)) / 1e9}


def _least(work: Callable[[], object]) -> float:
    """Least processor time of a call per thread, of several calls."""
    least = math.inf
    for _ in range(9):
        start = time.process_time()
        work()
        least = min(least, time.process_time() - start)
    return least / torch.get_num_threads()


def _operations(watch: profile, steps: int, total: float, limits: dict[str, float]) -> list[Record]:
    """Operations by time, with those of one name together.

    The time of a call is the least of all with inputs of these shapes: in others, another process had the processor. The sum is scaled to
    `total`, the seconds of a step without the profiler.
    """
    alike: dict[tuple[str, str], list[Any]] = {}
    for event in watch.events() or ():  # type: ignore[no-untyped-call]
        alike.setdefault((event.name, str(event.input_shapes)), []).append(event)
    totals: dict[str, list[float]] = {}
    for events in alike.values():
        seconds = min(event.self_cpu_time_total for event in events) * 1e-6
        work, moved = costs(events[0].name, events[0].input_shapes)
        least = max(work / (limits["gflops"] * 1e9), moved / (limits["gigabytes"] * 1e9))
        sums = totals.setdefault(readable(events[0].name), [0, 0.0, 0.0])
        for place, value in enumerate((1, seconds, least)):
            sums[place] += len(events) * value
    scale = total * steps / max(sum(seconds for _, seconds, _ in totals.values()), 1e-9)
    rows: list[Record] = [
        {
            "name": name,
            "calls": calls / steps,
            "seconds": scale * seconds / steps,
            "of_limit": least / (scale * seconds) if seconds else 0.0,
        }
        for name, (calls, seconds, least) in totals.items()
    ]
    rows.sort(key=lambda row: -row["seconds"])
    return shortened(rows)


def shortened(rows: list[Record]) -> list[Record]:
    """The longest operations, and one row for all others."""
    rest = rows[_SHOWN:]
    if len(rest) < 2:
        return rows
    calls, seconds = (sum(row[key] for row in rest) for key in ("calls", "seconds"))
    least = sum(row["of_limit"] * row["seconds"] for row in rest)
    return [
        *rows[:_SHOWN],
        {"name": f"{len(rest)} others", "calls": calls, "seconds": seconds, "of_limit": least / seconds if seconds else 0.0},
    ]


def readable(name: str) -> str:
    """Name of an operation without the prefixes of torch's dispatcher; the forward pass of an own operation has its own name."""
    own = name.removeprefix("GeneratedBackwardFor_dendrix_")
    if own != name:
        forward = own.partition("_default")[0]
        return f"dendrix::{forward}" + (", autograd" if own.endswith("Backward") else "")
    return name.removeprefix("aten::")


def costs(name: str, shapes: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Floating-point operations of a matrix product or a convolution, and bytes of float32 that an operation reads and writes."""
    operation = name.removeprefix("aten::")
    sizes = [shape for shape in shapes if shape and all(isinstance(n, int) for n in shape)]
    if operation in _PRODUCTS and len(shapes) > max(_PRODUCTS[operation]):
        a, b = (shapes[place] for place in _PRODUCTS[operation])
        return 2.0 * math.prod(a) * b[-1], 4.0 * (math.prod(a) + math.prod(b) + math.prod(a[:-1]) * b[-1])
    if operation == "convolution_backward" and len(sizes) > 2:
        grad, x, weight = sizes[:3]
        return 4.0 * math.prod(weight) * grad[0] * math.prod(grad[2:]), 8.0 * (math.prod(grad) + math.prod(x))
    if operation in ("mkldnn_convolution", "thnn_conv2d", "_slow_conv2d_forward") and len(sizes) > 1:
        x, weight = sizes[:2]
        return 2.0 * math.prod(weight) * x[0] * math.prod(x[2:]), 4.0 * math.prod(x)  # an upper bound where strides shrink the result
    largest = max((math.prod(shape) for shape in sizes), default=0)
    return 0.0, 4.0 * (sum(math.prod(shape) for shape in sizes) + largest)


def expect_record(record: Record, name: str) -> None:
    """Check that a record was written by `measured`; `name` is for the message."""
    profiles = record.get("profiles")
    needed = {"recipe", "threads", "items", "seconds", "processor_seconds", "operations"}
    if not isinstance(profiles, list) or not all(isinstance(one, dict) and needed <= one.keys() for one in profiles):
        raise InputError(f"{name}: expected a record of `dendrix bench --profile --out`, got another file. Profile it again.")


def _splits(recipe: Recipe) -> tuple[Any, str]:
    try:
        return load_splits(recipe.data), "as recorded"
    except FileNotFoundError:
        if getattr(recipe.data, "name", "") != "shd":
            raise
        return _like_shd(), "random counts of the size of SHD"


def _like_shd() -> Splits[Dataset]:
    generator = torch.Generator().manual_seed(mixed_seed(0, 23))
    clips, channels, classes = _SHD["clips"], _SHD["channels"], _SHD["classes"]

    def part(count: int) -> Dataset:
        lengths = torch.randint(int(_SHD["shortest"]), int(_SHD["longest"]) + 1, (count,), generator=generator).tolist()
        x = [torch.poisson(torch.full((steps, int(channels)), _SHD["mean"]), generator).to(torch.uint8) for steps in lengths]
        labels = tuple(map(str, range(int(classes))))
        return Dataset(x, torch.randint(len(labels), (count,), generator=generator), labels, dt_ms=10.0)

    return Splits(part(int(clips) * 6), part(int(clips) // 5), part(20))


def _accelerator(seed: int) -> Any:
    try:
        import accelerate
        import accelerate.utils
    except Exception as missing:
        raise MissingExtraError.of("Profiling a training needs", None, "train", missing) from missing
    accelerate.utils.set_seed(seed)
    return accelerate.Accelerator(cpu=True)


def markdown(record: Record) -> str:
    """The profiles as tables in Markdown: a summary, if the record has profiles of earlier code under `before`, then one for each."""
    machine = ", ".join(f"{key} {value}" for key, value in record["machine"].items())
    parts = [_INTRODUCTION, f"Measured on {machine}.\n"]
    before = {_key(one): one for one in record.get("before", ())}
    if before:
        parts.append(_summary(before, record["profiles"]))
    for now in record["profiles"]:
        parts += [_table(before[_key(now)], " before")] if _key(now) in before else []
        parts.append(_table(now))
    return "\n".join(parts)


_INTRODUCTION = """# Where a training goes

Written by `dendrix bench --profile`: steps at the beginning of a training, per operation. *Share* is the time in the operation itself,
without the operations that it calls, of the sum over all operations. A call takes the least time of the calls with inputs of its
shapes, and the sum is scaled to the processor time of a step without the profiler (with several threads, to the time on the clock).
*Of the limit* is the shortest time in which the machine could do it, over the time that it took: the multiply-adds of a product
or a convolution at the speed of a large one, by BLAS or oneDNN, whichever is faster here, and the inputs and the result of any operation
at the speed of a copy of 64 MiB, both measured in the same process. Where other programs use the processor, the share of operations that
take longer than a time slice of the scheduler is too large. Values above 1 come from tensors that stay in the
cache, and, among the others, from views, which are counted as copies; loops of dendrix (`dendrix::`) are compared with the copy only.
"""


def _key(one: Record) -> tuple[str, int]:
    return one["recipe"], one["threads"]


def _rates(one: Record) -> tuple[float, float]:
    """Items per second of wall-clock and of processor time, without the profiler."""
    return one["items"] / one["seconds"], one["items"] / one["processor_seconds"]


def _summary(before: Mapping[tuple[str, int], Record], now: Sequence[Record]) -> str:
    lines = ["| recipe | threads | items per second of processor time, before | now | ratio |", "|---|---|---|---|---|"]
    for one in now:
        if earlier := before.get(_key(one)):
            was, found = _rates(earlier)[1], _rates(one)[1]
            lines.append(f"| {one['recipe']} | {one['threads']} | {was:,.1f} | {found:,.1f} | {found / was:.2f} |")
    return "\n".join(lines) + "\n"


def _table(one: Record, when: str = "") -> str:
    rate, work = _rates(one)
    total = sum(row["seconds"] for row in one["operations"])
    lines = [
        f"## {one['recipe']}, {one['threads']} threads{when}\n",
        f"{one['items']} items per step; {rate:,.1f} items per second, {work:,.1f} per second of processor time, without the profiler. "
        f"Data {one['data']}. Limits: {one['gflops']:.0f} GFLOP/s, {one['gigabytes']:.0f} GB/s.\n",
        "| operation | share | ms per step | calls per step | of the limit |",
        "|---|---|---|---|---|",
    ]
    for row in one["operations"]:
        cells = f"{row['seconds'] / total:.1%} | {row['seconds'] * 1e3:.2f} | {row['calls']:.0f} | {row['of_limit']:.2f}"
        lines.append(f"| `{row['name']}` | {cells} |")
    return "\n".join(lines) + "\n"
