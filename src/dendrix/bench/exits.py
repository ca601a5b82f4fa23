"""Measured speed-up of early exits: trained networks, a fitted rule, and every batching beside the ideal T / mean exit step."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..core import Stateful, accumulate
from ..data import digits
from ..exits import ExitRecord, ExitRule, Margin, Pareto, decide, fit, record_outputs, run
from ..layers import BatchNorm, PerStep, Sequential, freeze, param_groups
from ..models import DelayNet, DelayNetConfig
from ..neurons import LIF
from .harness import Timing, interleave

_ACCUMULATION = "sum"
BATCHES = (1, 8, 64, 256)
_FILLS, _FEWEST, _MOST = 24, 64, 2048
"""Inputs per row of the batch, and bounds on their number. At the end of the inputs, rows cannot be refilled, unlike in a stream."""
_NEVER = Margin(math.inf)


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
    """Steps in one call."""


@dataclass(frozen=True)
class Speed:
    """One network at one batch size. Speed-ups are relative to all T steps without a rule."""

    subject: str
    about: str
    batch: int
    accuracy: tuple[float, float]
    """Accuracy at the exit and after all steps."""
    ideal: float
    """T / mean exit step."""
    speedup: dict[str, float]
    """Measured speed-up by batching."""
    row_steps: dict[str, float]
    """T over the number of computed steps per input, by batching: the speed-up by the count of steps."""
    one_call: float
    """Time of model(x) at full length, in one call per batch, over that of the fastest batching."""
    overhead: float
    """Share of the time for the rule and all bookkeeping in a run without exits."""


def subjects(quick: bool = False) -> list[Subject]:
    """A delay network and a convolutional network, trained here; `quick` trains them very briefly."""
    return [_delay_network(2 if quick else 60), _convolutional_network(1 if quick else 3)]


def measured(quick: bool, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """All speeds as JSON values; `quick` measures briefly trained networks once."""
    speeds = []
    for subject in subjects(quick):
        for batch in (1, 8) if quick else BATCHES:
            say(f"exits: {subject.name}, {subject.about}, batch {batch}")
            count = 16 if quick else min(max(_FILLS * batch, _FEWEST), _MOST)
            speeds.append(asdict(speed(subject, batch, count, 1 if quick else 3)))
    return speeds


def speed(subject: Subject, batch: int, count: int, repeats: int) -> Speed:
    """Time every batching of one network on `count` inputs, in interleaved rounds."""
    steps = subject.x.shape[1]
    drawn = torch.randint(len(subject.x), (count,), generator=torch.Generator().manual_seed(batch))
    x, chosen = subject.x[drawn], subject.test.subset(drawn)
    early, full = decide(subject.rule, chosen), decide(_NEVER, chosen)

    def timed(rule: ExitRule, batching: Any) -> Callable[[], dict[str, Tensor]]:
        def step() -> dict[str, Tensor]:
            found = run(subject.model, x, rule, batching, _ACCUMULATION, batch_size=batch, block=subject.block)
            return {"steps": found.steps, "answers": found.answers, "row_steps": torch.tensor(found.row_steps)}

        return step

    ways = {batching: timed(subject.rule, batching) for batching in ("wait", "compact", "refill")}
    results = {name: way() for name, way in ways.items()}
    for name, found in results.items():
        if (agreement := float((found["steps"] == early.steps).float().mean())) < 0.98:
            raise RuntimeError(
                f"{subject.name}, {name}: expected the decisions of the record, but only {agreement:.1%} agree. This is a bug."
            )
    others = {
        "plain": lambda: _plain(subject.model, x, batch, subject.block),
        "never": timed(_NEVER, "wait"),
        "one call": lambda: _plain(subject.model, x, batch, steps),
    }
    timings = interleave(ways | others, repeats)
    fastest = min((timings[name] for name in ways), key=lambda timing: timing.median)
    return Speed(
        subject.name,
        subject.about,
        batch,
        (_accuracy(early.answers, chosen), _accuracy(full.answers, chosen)),
        steps / float(early.steps.double().mean()),
        {name: _ratio(timings["plain"], timings[name]) for name in ways},
        {name: steps * count / int(found["row_steps"]) for name, found in results.items()},
        _ratio(timings["one call"], fastest),
        1 - 1 / _ratio(timings["never"], timings["plain"]),
    )


def table(speeds: list[dict[str, Any]]) -> str:
    """Section of the report."""
    heads = "network | batch | ideal | wait | compact | of ideal | refill | of ideal | one call at full length | overhead"
    about = "Speed-ups relative to all steps without a rule; *one call* relative to one call of model(x) at full length per batch."
    lines = ["## Early exits", "", about, "", f"| {heads} |", "|---" * (heads.count("|") + 1) + "|"]
    for s in speeds:
        ideal, ways = s["ideal"], s["speedup"]
        cells = [f"{ways['wait']:.2f}"]
        for name in ("compact", "refill"):
            cells += [f"{ways[name]:.2f}", f"{ways[name] / ideal:.2f}"]
        lines.append(f"| {s['subject']} | {s['batch']} | {ideal:.2f} | {' | '.join(cells)} | {s['one_call']:.2f} | {s['overhead']:.1%} |")
    return "\n".join(lines) + "\n"


@torch.inference_mode()
def _plain(model: Stateful, x: Tensor, batch: int, block: int) -> dict[str, Tensor]:
    """All steps of all inputs, without a rule."""
    for rows in torch.split(x, batch):
        state = None
        for part in torch.split(rows, block, 1):
            _, state = model(part, state)
    return {}


def _ratio(one: Timing, other: Timing) -> float:
    return one.ratio_to(other)[0]


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
    return _subject("delay network", about, freeze(model), parts, block=16)


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
    return _subject("convolutional network", about, model.eval(), parts, block=1)


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
    recorded = {part: record_outputs(model, [parts[part]], _ACCUMULATION) for part in ("valid", "test")}
    policy = fit(recorded["valid"], "margin", Pareto(eps=0.01))
    return Subject(name, about, model, recorded["test"], parts["test"][0], policy.rule, block)
