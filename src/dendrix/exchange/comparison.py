"""Comparison of a graph in all dialects on the same input, and the first differences."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..core import SEEDS, expect, expect_count, expect_finite
from ..data.given import tensor_of
from ..errors import InputError
from ..neurons.nir import Fires
from .building import Reading
from .dialects import DIALECTS, Gain, Reset, coefficients
from .graph import Graph
from .importer import build_graph, reading_of
from .network import GraphNetwork
from .nodes import NEURONS, SPIKING

RATE = 0.1
"""Share of spikes in the random input."""
_COARSE = 0.2
"""Euler steps longer than this share of a time constant are reported."""


@dataclass(frozen=True)
class LayerDifference:
    """The spikes of one layer in one dialect."""

    name: str
    spikes: int
    """How many there are, over all rows and steps."""
    mismatches: int
    """At how many places they differ from those of the reference, after the shift."""
    shift: int
    """Steps by which they are late."""
    first: tuple[int, ...] | None
    """Row, step and neuron of the first difference in time."""


@dataclass(frozen=True)
class DialectDifference:
    """A graph in one dialect beside the reference."""

    dialect: str
    refused: str | None
    """Why the dialect cannot express the graph."""
    layers: tuple[LayerDifference, ...] = ()
    changed: int | None = None
    """Rows whose decision, the output with the largest sum, is another one; None where there is one output."""


@dataclass(frozen=True)
class Comparison:
    """A graph in all dialects."""

    reference: str
    dt_ms: float
    rows: int
    steps: int
    dialects: tuple[DialectDifference, ...]
    causes: tuple[str, ...]
    """Why dialects part, in sentences."""


def compare(
    graph: Graph,
    dt_ms: float | None = None,
    x: Tensor | None = None,
    *,
    dialects: Sequence[str] = tuple(DIALECTS),
    reset: Reset | None = None,
    gain: Gain | None = None,
    rows: int = 4,
    steps: int = 100,
    seed: int = 0,
) -> Comparison:
    """Run a graph in several dialects, each at its own defaults, and say where their spikes part from those of the reference.

    Args:
        graph: as `read_graph` gives it.
        dt_ms: time step, in ms; by default the one in the metadata.
        x: input, [B, T, ...]; by default random spikes.
        dialects: names of `DIALECTS`.
        reset, gain: of the reference, see `from_nir`.
        rows, steps, seed: of the random input.
    Raises:
        InputError: the time step is nowhere, the input does not fit or is not finite, or not even the reference can express the graph.
    """
    reading = reading_of(graph, dt_ms, None, reset, gain)
    wanted = build_graph(graph, reading, strict=False)
    given = _random(wanted, rows, steps, seed) if x is None else tensor_of(x, "x").float()
    expect(given, "B T ...")
    expect_finite(given, "x")
    with torch.no_grad():
        reference, _ = wanted.run(given)
        found = tuple(_difference(graph, reading, name, given, reference) for name in dialects)
        causes = tuple(_causes(graph, reading, given, reference))
    own = next(name for name, known in DIALECTS.items() if known.library == reading.dialect.library)
    return Comparison(own, reading.dt_ms, given.shape[0], given.shape[1], found, causes)


def _random(network: GraphNetwork, rows: int, steps: int, seed: int) -> Tensor:
    for value, name in ((rows, "rows"), (steps, "steps")):
        expect_count(value, "[1, inf)", name)
    expect_count(seed, SEEDS, "seed")
    sizes = list(network.inputs.values())
    shape = sizes[0] if len(sizes) == 1 else (sum(int(np.prod(size)) for size in sizes),)
    return (torch.rand(rows, steps, *shape, generator=torch.Generator().manual_seed(seed)) < RATE).float()


def _difference(graph: Graph, reading: Reading, name: str, x: Tensor, reference: dict[str, Tensor]) -> DialectDifference:
    try:
        network = build_graph(graph, reading_of(graph, reading.dt_ms, name), strict=False)
    except InputError as error:
        return DialectDifference(name, str(error))
    values, _ = network.run(x)
    late, layers = 0, []
    for layer in _spiking(graph, network):
        found = _layer(layer, values[layer], reference[layer], late)
        late += DIALECTS[name].lag
        layers.append(found)
    return DialectDifference(name, None, tuple(layers), _changed(network, values, reference))


def _spiking(graph: Graph, network: GraphNetwork) -> list[str]:
    return [name for name in network.names if name in graph.nodes and graph.nodes[name].type in SPIKING]


def _layer(name: str, spikes: Tensor, reference: Tensor, latest: int) -> LayerDifference:
    """The difference at the shift, up to the latest, where it is least."""
    options = [(_differs(spikes[:, shift:], reference[:, : reference.shape[1] - shift]), shift) for shift in range(latest + 1)]
    differs, shift = min(options, key=lambda option: (int(option[0].sum()), option[1]))
    places = differs.nonzero()
    first = tuple(places[places[:, 1].argmin()].tolist()) if len(places) else None
    return LayerDifference(name, int(spikes.sum()), int(differs.sum()), shift, first)


def _differs(first: Tensor, second: Tensor) -> Tensor:
    return (first != second).flatten(2)


def _changed(network: GraphNetwork, values: dict[str, Tensor], reference: dict[str, Tensor]) -> int | None:
    output = next(iter(network.outputs))
    sums = [found[output].sum(1).flatten(1) for found in (values, reference)]
    return None if sums[0].shape[1] < 2 else int((sums[0].argmax(1) != sums[1].argmax(1)).sum())


def _causes(graph: Graph, reading: Reading, x: Tensor, reference: dict[str, Tensor]) -> list[str]:
    """What the graph leaves open, or libraries ignore, and how many spikes hang on it."""
    found = []
    other: Reset = "soft" if (reading.reset or reading.dialect.reset) == "hard" else "hard"
    swapped: Fires = ">" if reading.dialect.fires == ">=" else ">="
    variants = [
        (f"Reset: a {other} one", replace(reading, reset=other)),
        (
            f"Ties: neurons that fire at v {swapped} v_threshold",
            replace(reading, dialect=replace(reading.dialect, fires=swapped), own=False),
        ),
        (
            "Several spikes in a step, as sinabs and rockpool send them,",
            replace(reading, dialect=replace(reading.dialect, fires="floor"), own=False),
        ),
    ]
    for what, variant in variants:
        network = build_graph(graph, variant, strict=False)
        values, _ = network.run(x)
        count = sum(int(_differs(values[name], reference[name]).sum()) for name in _spiking(graph, network))
        if count:
            found.append(f"{what} would change {count:,} values of spikes.")
    for name in graph.of_type(*NEURONS):
        found += _causes_of(name, graph, reading)
    return found


def _causes_of(name: str, graph: Graph, reading: Reading) -> list[str]:
    node = graph.nodes[name]
    found = []
    numbers = coefficients(name, node, reading.dt_ms, reading.dialect, reading.reset, gain=reading.gain)
    low, high = float(numbers.q.min()), float(numbers.q.max())
    if not np.allclose((low, high), 1, rtol=1e-3):
        told = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
        found.append(f"'{name}': one unit of input moves the membrane by {told}, and by 1 where a library ignores r and the time step.")
    for param in ("v_leak", "v_reset"):
        if np.any(node.params.get(param, 0)):
            found.append(f"'{name}': {param} is not 0, which several libraries ignore.")
    for param in ("tau", "tau_mem", "tau_syn"):
        if param in node.params and (share := reading.dt_ms * 1e-3 / float(node.params[param].min())) > _COARSE:
            error = abs(np.exp(-share) - (1 - share))
            found.append(f"'{name}': a step is {share:.2g} of {param}, where Euler's decay is {error:.2g} below the exponential one.")
    return found
