"""Every NIR graph of the data pack: whether it loads, runs, agrees with what was recorded, trains on, and goes out as it came."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..core import Stateful
from ..exchange import DIALECTS, from_nir, read_graph, to_nir
from ..exchange.dialects import Gain, Reset

Record = dict[str, Any]
_LETTERS = (0, 1, 5, 9, 15, 21, 25)
"""Space, A, E, I, O, U and Y: the classes of the tactile networks."""
_TRACES = {"nir": "norse", "norse": "norse", "snntorch": "snntorch", "spyx": "spyx", "lava": "lava_cpu_float", "sinabs": "sinabs",
           "nengo": "nengo", "exact": "exact"}  # fmt: skip
"""Dialects by the recording of their library; sinabs has an input of its own."""


@dataclass(frozen=True)
class PackGraph:
    """A graph and how to read it."""

    file: str
    dt_ms: float
    reset: Reset | None = None
    gain: Gain | None = None
    like: str = ""
    """Another file with the same network."""

    def network(self, folder: Path, strict: bool = False) -> Stateful:
        """The network of the file."""
        return from_nir(folder / self.file, self.dt_ms, reset=self.reset, gain=self.gain, strict=strict)


_BIAS, _SUBTRACT = "braille/braille_noDelay_bias_zero", "braille/braille_noDelay_noBias_subtract"
GRAPHS = (
    PackGraph("lif/lif_norse.nir", 0.1),
    PackGraph("lif/lif_rockpool.nir", 0.1),
    PackGraph("roundtrip/snntorch_test_lif.nir", 0.1, like="lif/lif_norse.nir"),
    PackGraph(f"{_BIAS}.nir", 0.1),
    PackGraph(f"{_BIAS}_subgraph.nir", 0.1, like=f"{_BIAS}.nir"),
    PackGraph(f"{_SUBTRACT}.nir", 0.1, "soft"),
    PackGraph(f"{_SUBTRACT}_subgraph.nir", 0.1, "soft", like=f"{_SUBTRACT}.nir"),
    PackGraph("roundtrip/norse_test_braille.nir", 0.1),
    PackGraph("roundtrip/rockpool_test_braille.nir", 1000.0),
    PackGraph("cnn_nmnist/cnn_sinabs.nir", 1.0, gain="unit"),
)


def measured(data: Path, digits: int, tell: Callable[[str], None]) -> list[Record]:
    """One record for each graph.

    Args:
        data: the folder `data` of the pack.
        digits: number of recordings of digits that train the convolutional network.
        tell: told about progress.
    """
    found = []
    for graph in GRAPHS:
        tell(f"nir: {graph.file}")
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            record = _measured(graph, data, digits)
        told = [str(note.message) for note in notes if "Assumed" in str(note.message)]
        found.append({"file": graph.file, "assumed": sorted(set(told)), **record})
    return found


def _measured(graph: PackGraph, data: Path, digits: int) -> Record:
    folder = data / "nir"
    network = graph.network(folder)
    read = read_graph(folder / graph.file, strict=False)
    shape = read.nodes[read.of_type("Input")[0]].shape
    draw = np.random.default_rng(0).random((256 if len(shape) == 1 else 32, *shape)) < 0.1
    x = torch.tensor(draw).float().unsqueeze(0)
    with torch.no_grad():
        y, _ = network(x)
        again = from_nir(to_nir(graph.network(folder), dt_ms=graph.dt_ms, shape=shape, compact=False))
        same = torch.equal(again(x)[0], graph.network(folder)(x)[0])
    checked = _checked(graph, folder, network, x)
    trained = _trained(graph, network, data, digits)
    if "cnn" in graph.file:
        checked = f"{trained['before']:.0%} of {_tests(digits)} recordings; {_recorded(folder)} recorded elsewhere on all"
    return {"spikes": int(y.sum()), "checked": checked, "trained": trained, "round_trip": same}


def _checked(graph: PackGraph, folder: Path, network: Stateful, x: Tensor) -> str:
    """What the pack has to compare with, and the outcome."""
    if graph.like:
        with torch.no_grad():
            other, _ = from_nir(folder / graph.like, graph.dt_ms, reset=graph.reset)(x)
            equal = torch.equal(network(x)[0], other)
        return f"{'the same' if equal else 'other'} spikes as {Path(graph.like).name}"
    if graph.file.startswith("lif/"):
        traces = {"rockpool": "rockpool"} if "rockpool" in graph.file else _TRACES
        differ = [_trace(graph, folder, dialect, trace) for dialect, trace in traces.items()]
        return f"{len(differ)} recorded traces of 1,000 steps: {sum(differ)} spikes differ"
    return "its inputs are not in the pack: nothing to compare with"


def _tests(digits: int) -> int:
    """The number of recordings of digits that test what was trained on so many."""
    return min(digits, 50)


def _trace(graph: PackGraph, folder: Path, dialect: str, name: str) -> int:
    """At how many steps the spikes differ from those that a library recorded."""
    recorded = np.loadtxt(folder / "lif" / f"lif_{name}.csv", delimiter=",")
    given = recorded if name == "sinabs" else np.loadtxt(folder / "lif" / "lif_norse.csv", delimiter=",")
    assert dialect in DIALECTS
    with torch.no_grad():
        y, _ = from_nir(folder / graph.file, graph.dt_ms, dialect, strict=False).double()(torch.tensor(given[:, 0]).view(1, -1, 1))
    return int((y[0, :, 0].numpy() != recorded[:, 2]).sum())


def _recorded(folder: Path) -> str:
    found = [float(np.ravel(np.load(path))[0]) for path in sorted((folder / "cnn_nmnist").glob("*_accuracy.npy"))]
    return f"{min(found):.1%} to {max(found):.1%}"


def _trained(graph: PackGraph, network: Stateful, data: Path, digits: int) -> Record:
    """One epoch more on what the pack has for the network, and the figure before and after."""
    torch.manual_seed(0)
    if "cnn" in graph.file:
        items, test = digits_of(data, 0, digits), digits_of(data, 400, 400 + _tests(digits))
        return _epoch(network, items, test, 4, 1e-5, f"{digits} recordings of digits")
    if "braille" in graph.file:
        items, test = touches_of(data)
        return _epoch(network, items, test, 16, 2e-3, f"{len(items[0])} recordings of touches")
    trace = np.loadtxt(data / "nir" / "lif" / "lif_norse.csv", delimiter=",")
    x = torch.tensor(trace[:, 0]).float().view(1, -1, 1)
    optimiser = torch.optim.Adam(network.parameters(), 0.05)
    losses = []
    for _ in range(10):
        loss = (network(x)[0].sum() - 8).square()
        losses.append(float(loss))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return {"on": "10 times the trace, towards 8 spikes", "figure": "squared error", "before": losses[0], "after": losses[-1]}


Items = tuple[Tensor, Tensor, Tensor]
"""Inputs [N, T, ...], valid steps [N, T] and labels [N]."""


def _epoch(network: Stateful, items: Items, test: Items, batch: int, lr: float, told: str) -> Record:
    before = _accuracy(network, *test)
    optimiser = torch.optim.Adam(network.parameters(), lr)
    for part in torch.split(torch.randperm(len(items[0])), batch):
        x, valid, labels = (tensor[part] for tensor in items)
        y, _ = network(x, None, valid)
        loss = torch.nn.functional.cross_entropy(y.sum(1), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return {"on": told, "figure": "accuracy", "before": before, "after": _accuracy(network, *test)}


def _accuracy(network: Stateful, x: Tensor, valid: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        y, _ = network(x, None, valid)
    return float((y.sum(1).argmax(1) == labels).float().mean())


def digits_of(data: Path, first: int, last: int) -> Items:
    """Event counts of N-MNIST recordings in steps of 1 ms, [N, T, 2, 34, 34]."""
    archive = np.load(data / "events" / "nmnist_small.npz")
    found = []
    for item in range(first, last):
        part = slice(archive["offsets"][item], archive["offsets"][item + 1])
        time = np.cumsum(archive["dt"][part])
        step = (time - time[0]) // 1000
        frame = np.zeros((step[-1] + 1, 2, 34, 34), np.float32)
        np.add.at(frame, (step, archive["yp"][part] >> 7, archive["yp"][part] & 127, archive["x"][part]), 1)
        found.append(torch.tensor(frame))
    return _padded(found, archive["labels"][first:last])


def touches_of(data: Path) -> tuple[Items, Items]:
    """Touches of seven letters, as changes of the pressure, [N, T, 12]: for training, and the last 8 of each class for tests."""
    archive = np.load(data / "events" / "braille_tactile.npz")
    trials = np.split(1 - archive["taxels"] / 255.0, archive["offsets"][1:-1])
    parts: tuple[list[int], list[int]] = ([], [])
    for letter in _LETTERS:
        items = np.flatnonzero(archive["labels"] == letter).tolist()
        parts[0].extend(items[:-8])
        parts[1].extend(items[-8:])
    found = []
    for part in parts:
        moved = [torch.tensor(np.abs(np.diff(trials[i], axis=0, prepend=0)) > 0.02).float() for i in part]
        found.append(_padded(moved, np.array([_LETTERS.index(archive["labels"][i]) for i in part])))
    return found[0], found[1]


def _padded(items: list[Tensor], labels: Any) -> Items:
    lengths = torch.tensor([len(item) for item in items])
    valid = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
    return pad_sequence(items, batch_first=True), valid, torch.tensor(np.asarray(labels).astype(int))
