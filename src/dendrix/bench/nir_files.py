"""NIR files for other libraries: networks of dendrix as it exports them, and random graphs in the form that each library takes."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core import Stateful
from ..exchange import Graph, Node, to_nir
from ..exchange.constructions import CONSTRUCTIONS
from ..layers import DelayLinear, PerStep, Recurrent, Sequential
from ..models import DelayNet, DelayNetConfig
from ..neurons import IF, LI, LIF, AdLIF, CubaLIF, SignedIF

SIZE, STEPS = 8, 200
RATE = 0.3
"""Share of spikes in the inputs."""


@dataclass(frozen=True)
class File:
    """A network and how it is exported."""

    name: str
    network: Stateful
    dt_ms: float
    shape: tuple[int, ...] = (4,)
    options: tuple[tuple[str, Any], ...] = ()

    def graph(self) -> Graph:
        """The graph of the file."""
        graph: Graph = to_nir(
            self.network, dt_ms=self.dt_ms, shape=self.shape, round_delays=True, **{"compact": False, **dict(self.options)}
        )
        return graph

    def input(self) -> Tensor:
        """Spikes [1, T, ...]."""
        return (torch.rand(1, 60, *self.shape, generator=torch.Generator().manual_seed(0)) < RATE).float()


def files() -> list[File]:
    """Every kind of network whose export other libraries may meet."""
    torch.manual_seed(0)
    lif = partial(LIF, SIZE, v_reset=0.0)
    delays: Any = partial(DelayLinear, 4, SIZE, 10.0, 1.0, train_delays=False)
    weights = partial(nn.Linear, 4, SIZE)
    maps = PerStep(nn.Conv2d(2, 4, 3, padding=1)), LIF(4, 10.0, 1.0, v_reset=0.0, v_threshold=0.5)
    read_out = PerStep(nn.Flatten()), nn.Linear(256, SIZE), lif(10.0, 1.0)
    pooled = PerStep(nn.AvgPool2d(2)), PerStep(nn.Flatten()), nn.Linear(64, SIZE), lif(10.0, 1.0)
    late = {name: Sequential(delays(granularity=name), lif(10.0, 1.0)) for name in ("axonal", "dendritic", "synaptic")}
    net = DelayNet(DelayNetConfig(4, 3, (SIZE,), max_delay_ms=60.0)).eval()
    return [
        File("LIF, 1 ms", Sequential(weights(), lif(10.0, 1.0)), 1.0),
        File("LIF, 0.1 ms", Sequential(weights(), lif(1.0, 0.1)), 0.1),
        File("LIF, soft reset", Sequential(weights(), LIF(SIZE, 1.0, 0.1)), 0.1),
        File("CubaLIF, 0.1 ms", Sequential(weights(), CubaLIF(SIZE, 1.0, 0.5, 0.1, v_reset=0.0)), 0.1),
        File("IF, 1 ms", Sequential(weights(), IF(SIZE, v_reset=0.0)), 1.0),
        File("LIF with feedback, 0.1 ms", Sequential(weights(), Recurrent(lif(1.0, 0.1), nn.Linear(SIZE, SIZE))), 0.1),
        File("convolution, LIF", Sequential(*maps, *read_out), 1.0, (2, 8, 8)),
        File("convolution, mean pooling", Sequential(*maps, *pooled), 1.0, (2, 8, 8)),
        File("AdLIF, 1 ms", Sequential(weights(), AdLIF(SIZE, 10.0, v_threshold=0.2)), 1.0),
        File("SignedIF, 1 ms", Sequential(weights(), SignedIF(SIZE, v_threshold=0.5)), 1.0),
        File("axonal delays", late["axonal"], 1.0),
        File("dendritic delays", late["dendritic"], 1.0),
        *(File(f"synaptic delays, {how}", late["synaptic"], 1.0, options=(("construction", how),)) for how in CONSTRUCTIONS),
        File("LI read-out", Sequential(weights(), LI(SIZE, 10.0, 1.0)), 1.0),
        File("DelayNet with metadata", net, 10.0, options=(("compact", True),)),
    ]  # fmt: skip


def random_graph(kind: str, seed: int, dt: float = 1e-4, **change: float) -> Graph:
    """Three inputs, random weights, and neurons with one set of parameters, as most libraries take them.

    Args:
        kind: IF, LIF or CubaLIF.
        seed: seed of the weights and time constants.
        dt: time step, in s, to which the gains belong: one unit of input moves the membrane by 1.
        **change: parameters instead of the drawn ones.
    """
    draw = np.random.default_rng(seed)
    tau, tau_syn = draw.uniform(10 * dt, 100 * dt), draw.uniform(2 * dt, 20 * dt)
    firing = {"v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    params = {
        "LIF": {"tau": tau, "r": tau / dt, **firing},
        "IF": {"r": 1 / dt, "v_threshold": 1.0, "v_reset": 0.0},
        "CubaLIF": {"tau_syn": tau_syn, "tau_mem": tau, "r": tau / dt, "w_in": tau_syn / dt, **firing},
    }[kind] | change
    weights = draw.normal(size=(SIZE, 3)).astype(np.float32)
    nodes = {
        "input": Node("Input", {"shape": np.array([3])}),
        "w": Node("Affine", {"weight": weights, "bias": np.zeros(SIZE, np.float32)}),
        "n": Node(kind, {name: np.full(SIZE, value) for name, value in params.items()}),
        "output": Node("Output", {"shape": np.array([SIZE])}),
    }
    return Graph(nodes, (("input", "w"), ("w", "n"), ("n", "output")))


def random_recurrent_graph(seed: int, dt: float = 1e-4) -> Graph:
    """As `random_graph` with LIF neurons, which also excite and inhibit each other."""
    graph = random_graph("LIF", seed, dt)
    back = np.random.default_rng(1000 + seed).normal(size=(SIZE, SIZE)).astype(np.float32) / 2
    nodes = {**graph.nodes, "back": Node("Linear", {"weight": back})}
    return Graph(nodes, (*graph.edges, ("n", "back"), ("back", "n")))
