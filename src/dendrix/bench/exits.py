"""Measured speed-up of early exits beside the ideal: the time of whole inputs in one call, times the share of the steps that are run."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..core import Stateful, accumulate, chosen_kernels
from ..data import digits
from ..errors import InputError
from ..exits import Answers, ExitRecord, ExitRule, Margin, Pareto, Policy, decide, fit, record_outputs, run
from ..layers import BatchNorm, PerStep, Sequential, freeze, param_groups
from ..models import DelayNet, DelayNetConfig
from ..neurons import LIF
from ..pretrained import find_run
from ..runs import open_run
from .harness import Timing

BATCHES = (1, 64, 256)
NAMES = ("delays", "convolutions", "fsdd", "commands", "cifar10")
"""Networks, also singly as `exits-NAME`: two that are trained here, and the shipped ones."""
_BY_MODULES = ("delays", "convolutions", "cifar10")
"""Networks that are also measured by their modules, at the first number of threads; those of the others take minutes."""
_FILLS, _FEWEST, _MOST = 24, 64, 2048
"""Inputs per row of the batch, and bounds on their number. At the end of the inputs, rows cannot be refilled, unlike in a stream."""
_MOST_ROWS = 512
"""Bound on the number of inputs of a compiled loop, which has no rows to refill."""
NEVER = Margin(math.inf)
"""A rule that never stops."""


@dataclass(frozen=True)
class Subject:
    """A trained network, with the inputs and the exit rule of its measurement."""

    name: str
    about: str
    model: Stateful
    test: ExitRecord
    x: Tensor
    """Test inputs, [N, T, ...]."""
    rule: ExitRule
    block: int
    """Steps in one call of the modules."""


@dataclass(frozen=True)
class Speed:
    """One network at one batch size and number of threads. Speed-ups are relative to whole inputs in one call of the modules per batch."""

    subject: str
    about: str
    batch: int
    threads: int
    inputs: int
    runs_on: str
    """"compiled loop", or "modules"."""
    accuracy: tuple[float, float]
    """Accuracy at the exit and after all steps."""
    agreement: float
    """Share of inputs that stop at the step, and with the answer, that the record of the modules gives."""
    ideal: float
    """T / mean exit step."""
    speedup: dict[str, float]
    """Measured speed-up by batching, in processor time on one thread and else in wall time; "rows" for the compiled loop, which runs every
    input to its own stop.
    """
    on_the_clock: dict[str, float]
    """The same in wall time, also on one thread."""
    row_steps: dict[str, float]
    """T over the number of computed steps per input: the speed-up by the count of steps."""
    never: float
    """Time of a run that never exits over that of one call."""
    per_second: dict[str, float]
    """Inputs per second: in "one call", and with exits by batching."""


def subjects(names: Sequence[str] = NAMES, smoke: bool = False) -> Iterator[Subject]:
    """The networks of these names whose data are found; `smoke`: only those that are trained here, and very briefly."""
    for name in names:
        if name == "delays":
            yield _delay_network(2 if smoke else 60)
        elif name == "convolutions":
            yield _convolutional_network(1 if smoke else 3)
        elif not smoke and (found := _shipped(name)):
            yield found


def measured(
    smoke: bool,
    say: Callable[[str], None],
    threads: tuple[int, ...] = (1,),
    names: Sequence[str] = NAMES,
    batches: Sequence[int] = BATCHES,
) -> list[dict[str, Any]]:
    """All speeds as JSON values; `smoke` measures briefly trained networks once."""
    speeds = []
    for subject in subjects(names, smoke):
        for batch in (1, 8) if smoke else batches:
            for count in threads:
                torch.set_num_threads(count)
                for modules in (False, True) if subject.name in _BY_MODULES and count == threads[0] else (False,):
                    say(f"exits: {subject.name}, batch {batch}, {count} threads{', modules' if modules else ''}")
                    most = _MOST if modules else _MOST_ROWS
                    inputs = 16 if smoke else min(max(_FILLS * batch, _FEWEST), most)
                    speeds.append(asdict(speed(subject, batch, inputs, 1 if smoke else 2 if batch > 64 else 3, modules)))
    return speeds


def speed(subject: Subject, batch: int, count: int, repeats: int, modules: bool = False) -> Speed:
    """Time every batching of one network on `count` inputs, in interleaved rounds.

    Args:
        subject: the network.
        batch: inputs that run at once.
        count: number of inputs.
        repeats: rounds.
        modules: run the modules of the network even if it has a compiled loop.
    """
    steps = subject.x.shape[1]
    drawn = torch.randint(len(subject.x), (count,), generator=torch.Generator().manual_seed(batch))
    still = subject.x.stride(1) == 0  # a still image takes no memory per step
    x = subject.x[drawn, :1].expand(-1, steps, *subject.x.shape[2:]) if still else subject.x[drawn]
    chosen = subject.test.subset(drawn)
    early, full = decide(subject.rule, chosen), decide(NEVER, chosen)

    def timed(rule: ExitRule, batching: Any) -> Callable[[], Answers]:
        return lambda: run(subject.model, x, rule, batching, subject.test.accumulation, batch_size=batch, block=subject.block)

    with _without_loop(subject.model) if modules else contextlib.nullcontext():
        first = timed(subject.rule, "refill")()
        compiled = "compiled" in chosen_kernels()["run_until on cpu"]
        batchings = {"rows": "refill"} if compiled else {name: name for name in ("refill", "compact", "wait")[: 3 if batch > 1 else 1]}
        ways = {name: timed(subject.rule, batching) for name, batching in batchings.items()}
        results = {name: first if batching == "refill" else ways[name]() for name, batching in batchings.items()}
        agreement = min(float(((r.steps == early.steps) & (r.answers == early.answers)).double().mean()) for r in results.values())
        if agreement < 0.98:
            raise RuntimeError(f"{subject.name}: expected the decisions of the record, but only {agreement:.1%} agree. This is a bug.")
        others: dict[str, Callable[[], object]] = {"never": timed(NEVER, "refill"), "one call": lambda: _whole(subject.model, x, batch)}
        timings, clock = _rounds({**ways, **others}, repeats)
        if torch.get_num_threads() > 1:  # threads that wait take processor time
            timings = clock
    return Speed(
        subject.name,
        subject.about,
        batch,
        torch.get_num_threads(),
        count,
        "compiled loop" if compiled else "modules",
        (_accuracy(early.answers, chosen), _accuracy(full.answers, chosen)),
        agreement,
        steps / float(early.steps.double().mean()),
        {name: _ratio(timings["one call"], timings[name]) for name in ways},
        {name: _ratio(clock["one call"], clock[name]) for name in ways},
        {name: steps * count / found.row_steps for name, found in results.items()},
        _ratio(timings["never"], timings["one call"]),
        {name: count / timings[name].median for name in ("one call", *ways)},
    )


def table(speeds: list[dict[str, Any]]) -> str:
    """Section of the report."""
    heads = (
        "network | batch | threads | runs on | ideal | speed-up | of ideal | compact, of ideal | never exits | of its own ideal "
        "| inputs/s in one call | with exits"
    )
    about = (
        "Speed-ups relative to whole inputs in one call of the modules per batch, in processor time on one thread, in wall time on more; "
        "*ideal* is T / mean exit step. The compiled loop runs every input to its own stop, the modules refill finished rows, or drop them "
        "(*compact*). *Never exits* is the time of a run whose rule never stops, over that of one call; *its own ideal* has such a run in "
        "place of one call."
    )
    lines = ["## Early exits", "", about, "", f"| {heads} |", "|---" * (heads.count("|") + 1) + "|"]
    for s in speeds:
        way, ideal = ("rows" if "rows" in s["speedup"] else "refill"), s["ideal"]
        fastest, compact = s["speedup"][way], s["speedup"].get("compact")
        cells = [s["subject"], str(s["batch"]), str(s["threads"]), s["runs_on"], f"{ideal:.2f}", f"{fastest:.2f}", f"{fastest / ideal:.2f}"]
        cells += ["" if compact is None else f"{compact / ideal:.2f}", f"{s['never']:.2f}", f"{fastest * s['never'] / ideal:.2f}"]
        cells += [f"{s['per_second'][name]:,.0f}" for name in ("one call", way)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _without_loop(model: nn.Module) -> Iterator[None]:
    """Context in which the modules of a network run: a compiled loop does not call hooks, so it refuses a network that has one."""
    handle = model.register_forward_hook(lambda *_: None)
    try:
        yield
    finally:
        handle.remove()


def _rounds(ways: dict[str, Callable[[], object]], repeats: int) -> tuple[dict[str, Timing], dict[str, Timing]]:
    """Processor time and wall time of every way, in interleaved rounds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            cpu, clock = time.process_time(), time.perf_counter()
            way()
            found[name].append((time.process_time() - cpu, time.perf_counter() - clock))
    cpu_times, clock_times = ({name: Timing(tuple(pair[k] for pair in pairs)) for name, pairs in found.items()} for k in (0, 1))
    return cpu_times, clock_times


@torch.inference_mode()
def _whole(model: Stateful, x: Tensor, batch: int) -> None:
    """All steps of all inputs, each batch in one call."""
    for rows in torch.split(x, batch):
        model(rows)


def _ratio(one: Timing, other: Timing) -> float:
    return one.ratio_to(other)[0]


def _shipped(name: str) -> Subject | None:
    """A shipped network with its policy and test data, padded to the longest input; None if the data are missing."""
    try:
        opened = open_run(name)
        batches = list(opened.sample(1000))
    except (OSError, InputError):
        return None
    model: Any = opened.network
    still = batches[0].x.stride(1) == 0
    longest = max(batch.x.shape[1] for batch in batches)
    after = batches[0].x.dim() - 2
    x = torch.cat([b.x[:, :1] if still else nn.functional.pad(b.x, (0, 0) * after + (0, longest - b.x.shape[1])) for b in batches])
    x, labels = x.expand(-1, longest, *x.shape[2:]), torch.cat([batch.y for batch in batches])
    policy = Policy.load(find_run(name) / "policy.json")
    record = record_outputs(model, zip(torch.split(x, 64), torch.split(labels, 64), strict=True), policy.accumulation)
    return Subject(name, f"shipped, {len(x)} test inputs of {longest} steps", model, record, x, policy.rule, 1 if still else 16)


def _accuracy(answers: Tensor, recorded: ExitRecord) -> float:
    return 0.0 if recorded.labels is None else float((answers == recorded.labels).double().mean())


def _delay_network(batches: int) -> Subject:
    torch.manual_seed(0)
    patterns = (torch.rand(10, 40) < 0.3).float()
    parts = {name: _spike_trains(patterns, count) for name, count in (("train", 32 * batches), ("valid", 500), ("test", 1000))}
    model = DelayNet(DelayNetConfig(inputs=40, outputs=10, delays="random", dropout=0.0))
    x, y = parts["train"]
    _train(model, x[:, :32], y)  # the weights are also valid for longer trains
    about = "noisy spike trains of 64 steps, two layers of 128 with delays of up to 250 ms"
    return _subject("delays", about, freeze(model), parts, block=16)


def _spike_trains(patterns: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Spikes [N, 64, C] with the rates of a class, [10, C], mixed with the mean rates by a random share; and the classes [N]."""
    y = torch.randint(10, (count,))
    clarity = 0.3 + 0.7 * torch.rand(count, 1)
    rates = clarity * patterns[y] + (1 - clarity) * patterns.mean(0)
    return torch.bernoulli(0.3 * rates.unsqueeze(1).expand(-1, 64, -1)), y


def _convolutional_network(epochs: int) -> Subject:
    torch.manual_seed(0)
    parts = {name: (_frames(torch.stack(list(part.x))), part.y) for name, part in digits(row_steps=17)._asdict().items()}
    model = Sequential(
        PerStep(nn.Conv2d(1, 32, 3, padding=1, bias=False)), BatchNorm(32), LIF(32, tau_ms=5),
        PerStep(nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False)), BatchNorm(64), LIF(64, tau_ms=5),
        PerStep(nn.Conv2d(64, 64, 3, padding=1, bias=False)), BatchNorm(64), LIF(64, tau_ms=5),
        PerStep(nn.Sequential(nn.Flatten(), nn.Linear(64 * 64, 10))),
    )  # fmt: skip
    x, y = parts["train"]
    _train(model, x[:, :6].repeat(epochs, 1, 1, 1, 1), y.repeat(epochs))
    about = "digits of 16 x 16 pixels as 20 frames of random spikes, convolutions of 32, 64 and 64 channels"
    return _subject("convolutions", about, model.eval(), parts, block=1)


def _frames(x: Tensor) -> Tensor:
    """Digits as frames [N, 20, 1, 16, 16] whose pixels spike at the rate of their grey value, decoded from latencies of 17 steps."""
    latency = x.view(len(x), 8, 17, 8)
    grey = (16 - latency.argmax(2)) * latency.any(2) / 16
    rate = 0.3 * nn.functional.interpolate(grey.unsqueeze(1), scale_factor=2.0)
    return torch.bernoulli(rate.unsqueeze(1).expand(-1, 20, -1, -1, -1))


def _train(model: Stateful, x: Tensor, y: Tensor) -> None:
    """One pass of Adam with a loss on the decision after every step, so that early decisions are trained too."""
    optimiser = torch.optim.Adam(param_groups(model, lr=1e-2))
    for rows in torch.split(torch.randperm(len(x)), 32):
        outputs, _ = model(x[rows])
        evidence = accumulate(outputs, None, "mean")
        loss = nn.functional.cross_entropy(evidence.flatten(0, 1), y[rows].repeat_interleave(evidence.shape[1]))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _subject(name: str, about: str, model: Any, parts: dict[str, tuple[Tensor, Tensor]], block: int) -> Subject:
    """Fit the rule on the validation part, and record the test part."""
    recorded = {part: record_outputs(model, [parts[part]], "sum") for part in ("valid", "test")}
    policy = fit(recorded["valid"], "margin", Pareto(eps=0.01))
    return Subject(name, about, model, recorded["test"], parts["test"][0], policy.rule, block)
