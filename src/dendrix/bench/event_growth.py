"""Whole networks by events: hidden rates, growth with neurons and synapses, and the same network in Brian2's C++ standalone mode."""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core import use_kernels
from ..deploy import Spikes, StreamingNetwork
from ..errors import InputError
from ..lowering.layers import Population, Synapses, lower
from ..lowering.sparse import SparseLayer, SparseSynapses
from . import events
from .deployment import python_of, worker
from .harness import UnavailableError
from .inputs import spikes

Record = dict[str, Any]
_SIZES = (1_000, 10_000, 100_000)
_EACH, _TAPS, _RATE, _STEPS = 100, 25, 0.01, 200


def measured(smoke: bool, tell: Callable[[str], None], pythons: Sequence[str] = ()) -> Record:
    """Rates, growth and the comparison with Brian2; `smoke` runs small sizes once."""
    tell("events: growth")
    _grown(100, 10, 1)  # compiles the loop, which takes memory once
    found: Record = {"growth": [_grown(size, 20 if smoke else _STEPS, 1 if smoke else 5) for size in _SIZES[: 1 if smoke else None]]}
    tell("events: hidden rates")
    found["rates"] = {f"{name}, {percent} %": _rates(name, percent) for name in ("shd", "fsdd", "commands") for percent in (1, 5, 10)}
    tell("events: Brian2")
    found["brian2"] = [_beside_brian2(percent, 1 if smoke else 7, pythons) for percent in ((1,) if smoke else (1, 5, 10))]
    return found


def _grown(size: int, steps: int, rounds: int) -> Record:
    """One recurrent population with `_EACH` synapses per neuron to random neurons, driven so that 1 % of the neurons spike in a step."""
    before = _peak_mib()
    rng = np.random.default_rng(0)
    neurons = _lif(size)
    one_each = SparseSynapses(np.arange(size + 1), np.arange(size), np.full(size, 1.5, np.float32), np.zeros(size, np.int64), 1)
    count = size * _EACH
    feedback = SparseSynapses(
        np.arange(size + 1) * _EACH, rng.integers(0, size, count, dtype=np.uint32), rng.normal(0, 0.02, count).astype(np.float32),
        rng.integers(0, _TAPS, count, dtype=np.uint8), _TAPS,
    )  # fmt: skip
    read = Synapses(rng.normal(0, 0.1, (10, size, 1)), np.zeros((10, size, 1), np.int64), 1)
    layers = [SparseLayer(one_each, np.zeros(size), neurons, feedback), SparseLayer(read, np.zeros(10), _readout(10))]
    network = StreamingNetwork(layers)
    del layers, feedback
    drawn = rng.random((steps, size), dtype=np.float32) < _RATE
    step, channel = drawn.nonzero()
    row = Spikes(step, channel)
    _, state = network.forward_events([row], steps)  # every event of the input causes a spike
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        network.forward_events([row], steps, state)
        seconds.append(time.perf_counter() - begun)
    taken = statistics.median(seconds)
    return {
        "neurons": size, "synapses": count, "steps": steps, "us_per_step": taken / steps * 1e6,
        "ns_per_event": taken / (len(step) * _EACH) * 1e9, "peak_mib": _peak_mib() - before,
        "state_mib": state.memory.numel() * 4 / 2**20,
    }  # fmt: skip


def _lif(size: int) -> Population:
    none = np.zeros(size)
    return Population("lif", np.full(size, 0.5), np.ones(size), none, none, none, none, none)


def _readout(size: int) -> Population:
    none = np.zeros(size)
    return Population("li", np.full(size, 0.9), np.full(size, np.inf), None, none, none, none, none)


def _peak_mib() -> float:
    """Greatest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@torch.no_grad()
def _rates(name: str, percent: int) -> list[float]:
    """Share of the neurons of each hidden layer that spike in a step."""
    network = events.network_of(name, percent)
    h = spikes(8, events.STEPS[name], events.channels(network), percent / 100)
    found = []
    for part in network.stages:
        out = part(h)
        h = out[0] if isinstance(out, tuple) else out
        if type(part).__name__ == "LIF":
            found.append(float(h.mean()))
    return found


def _beside_brian2(percent: int, rounds: int, pythons: Sequence[str]) -> Record:
    """One input through the network of the size for SHD, after a comparison of the spikes of its last hidden layer and its outputs."""
    found: Record = {"percent": percent}
    network = events.network_of("shd", percent)
    layers = lower(network)
    steps = events.STEPS["shd"]
    x = spikes(1, steps, events.channels(network), percent / 100)
    python, version = python_of("brian2", pythons)
    if python is None:
        return found | {"refused": "Brian2 is not installed"}
    fast, row = StreamingNetwork(network), events.events_of(x[0])
    with torch.no_grad(), use_kernels("reference"):
        h = torch.cat([x, torch.zeros_like(x[:, :1])], 1)  # a spike takes Brian2 a step per layer: this one runs one step more
        for part in list(network.stages)[:-2]:
            h, _ = part(h)
    expected, sums = h.sum((0, 1)).numpy(), fast(x)[0].sum((0, 1)).numpy()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folder = Path(place)
        arrays: dict[str, Any] = {}
        for k, layer in enumerate(layers):
            parts = dict(weight=layer.synapses.weight[..., 0], delay=layer.synapses.delay[..., 0], bias=layer.bias)
            parts |= dict(decay=layer.neurons.decay, threshold=layer.neurons.threshold)
            arrays |= {f"{k}.{name}": part for name, part in parts.items()}
        np.savez(folder / "network.npz", **arrays)
        np.save(folder / "input.npy", x[0].numpy())
        try:
            run = worker(folder, "brian2", python, stack)
            answer = run()
        except (UnavailableError, OSError, InputError) as error:
            return found | {"refused": " ".join(str(error).split())}
        differ = int((np.array(answer["spikes"]) != expected).sum())
        off = float(np.abs(np.array(answer["sums"]) - sums).max() / np.abs(sums).max())
        found |= {"version": version, "neurons_that_differ": differ, "error": off}
        if differ or off > 1e-4:
            return found | {"refused": f"spikes of {differ} neurons differ, outputs by {off:.0e}"}
        ours, theirs, with_start, with_building = [], [], [], []
        for _ in range(rounds):
            begun = time.perf_counter()
            theirs.append(run()["seconds"])
            with_start.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            fast.forward_events([row], steps)
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            StreamingNetwork(network).forward_events([row], steps)
            with_building.append(time.perf_counter() - begun)
    median = statistics.median
    return found | {
        "ours_ms": median(ours) * 1e3, "theirs_ms": median(theirs) * 1e3,
        "ours_with_start_ms": median(with_building) * 1e3, "theirs_with_start_ms": median(with_start) * 1e3,
    }  # fmt: skip


def table(record: Record) -> str:
    """The tables in Markdown."""
    lines = ["## Networks by events", "", "Spikes of the hidden layers per neuron and step, for random inputs:", ""]
    lines += ["| network and input | hidden rates |", "|---|---|"]
    lines += [f"| {name} | {', '.join(f'{rate:.3f}' for rate in rates)} |" for name, rates in record["rates"].items()]
    about = f"One recurrent population, {_EACH} synapses per neuron, delays of up to {_TAPS} steps, 1 % of the neurons spike in a step"
    lines += ["", f"{about}; memory is the growth of the greatest resident memory, tables, input and construction included:", ""]
    lines += ["| neurons | synapses | us per step | ns per synapse event | peak MiB | state MiB |", "|---" * 6 + "|"]
    for g in record["growth"]:
        cells = f"{g['us_per_step']:.0f} | {g['ns_per_event']:.2f} | {g['peak_mib']:.0f} | {g['state_mib']:.1f}"
        lines.append(f"| {g['neurons']:,} | {g['synapses']:,} | {cells} |")
    lines += [
        "",
        "One input of 100 steps through the network of the size for SHD, one thread, beside Brian2 in C++ standalone mode. By its",
        "",
    ]
    lines[-2] += " own clock, which leaves out the start of the program; with start: building ours from the modules, starting its program."
    lines += ["| input | dendrix ms | Brian2 ms | ratio | dendrix ms with start | Brian2 ms with start |", "|---" * 6 + "|"]
    for b in record["brian2"]:
        if "refused" in b:
            lines.append(f"| {b['percent']} % | no result: {b['refused']} | | | | |")
            continue
        ratio = b["theirs_ms"] / b["ours_ms"]
        cells = f"{b['ours_ms']:.2f} | {b['theirs_ms']:.1f} | {ratio:.0f} | {b['ours_with_start_ms']:.0f} | {b['theirs_with_start_ms']:.0f}"
        lines.append(f"| {b['percent']} % | {cells} |")
    return "\n".join(lines) + "\n"
