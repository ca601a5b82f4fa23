"""Growth of the cost of stepping: runs that never exit beside one call, over the steps, the batch and the size of the network."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..exits import record_outputs
from ..models import Converted, ConvertedConfig, VGGConfig
from .exits import NEVER, Subject, speed

_STAGES = ((16,), (32,), (64, 64), (128, 128))
_BATCH, _STEPS, _THRESHOLD = 16, 8, 2.0
_FEWEST = 32
"""Inputs of a point, at least, so that reading the network, which is part of a run, is a small part."""


@dataclass(frozen=True)
class Point:
    """One network, number of steps and batch."""

    axis: str
    """"steps", "batch" or "network": what differs from point to point."""
    network: str
    steps: int
    batch: int
    spikes: float
    """Share of neurons and steps with a spike."""
    loop: float
    """Time of the compiled loop to the last step over that of one call, in processor time."""
    modules: float
    """The same of the modules, step by step."""


def measured(smoke: bool, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """All points as JSON values, on one thread; `smoke` measures two small ones."""
    torch.set_num_threads(1)
    found = []
    for axis, name, steps, batch in _points(smoke):
        say(f"exits, growth: {name}, {steps} steps, batch {batch}")
        found.append(asdict(_point(axis, name, steps, batch)))
    return found


def _points(smoke: bool) -> list[tuple[str, str, int, int]]:
    if smoke:
        return [("steps", "VGG x 0.5", steps, 1) for steps in (2, 3)]
    return [
        *(("steps", "VGG x 1", steps, _BATCH) for steps in (4, 8, 16, 32)),
        *(("batch", "VGG x 1", _STEPS, batch) for batch in (1, 4, 16, 64)),
        *(("network", name, _STEPS, _BATCH) for name in ("VGG x 0.5", "VGG x 1", "VGG x 2", "VGG x 4")),
    ]


def _point(axis: str, name: str, steps: int, batch: int) -> Point:
    network, x = _network(name), torch.rand(max(_FEWEST, 2 * batch), 3, 32, 32, generator=torch.Generator().manual_seed(0))
    currents = network.encode(x, steps)
    record = record_outputs(network, [(currents, torch.zeros(len(x), dtype=torch.int64))])
    subject = Subject(name, name, network, record, currents, NEVER, 1)
    loop, modules = (speed(subject, batch, len(x), 3, by_modules).never for by_modules in (False, True))
    return Point(axis, name, steps, batch, _spikes(network, currents), loop, modules)


def _network(name: str) -> Converted:
    """A converted network with random weights, whose BatchNorm has the statistics of random images."""
    torch.manual_seed(0)
    factor = float(name.split()[-1])
    stages = tuple(tuple(round(size * factor) for size in stage) for stage in _STAGES)
    ann = VGGConfig(threshold=_THRESHOLD, stages=stages).build()
    for module in ann.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over batches
    with torch.no_grad():
        ann.train()(torch.rand(16, 3, 32, 32))
    return Converted(ConvertedConfig.of(ann.eval()), ann).eval()


@torch.inference_mode()
def _spikes(network: nn.Module, currents: Tensor) -> float:
    counts: list[tuple[int, int]] = []
    handles = [
        part.register_forward_hook(lambda _, __, found: counts.append((int(found[0].count_nonzero()), found[0].numel())))
        for part in network.modules()
        if type(part).__name__ == "SignedIF"
    ]
    network(currents[:4])
    for handle in handles:
        handle.remove()
    return sum(count for count, _ in counts) / sum(size for _, size in counts)


def table(points: list[dict[str, Any]]) -> str:
    """Section of the report."""
    about = (
        "Time of a run that never exits over that of one call of the modules, in processor time of one thread: of the compiled loop, and "
        "of the modules step by step. Converted networks with random weights; *VGG x 1* has the size of `cifar10`, others its "
        "channels times a factor."
    )
    lines = ["## Early exits: cost of stepping", "", about, "", "| axis | network | steps | batch | spikes | compiled loop | modules |"]
    lines.append("|---" * 7 + "|")
    for p in points:
        cells = [p["axis"], p["network"], str(p["steps"]), str(p["batch"]), f"{p['spikes']:.0%}", f"{p['loop']:.2f}", f"{p['modules']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
