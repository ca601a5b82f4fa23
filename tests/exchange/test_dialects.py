"""Dialects against the traces that each library recorded for the NIR paper, and against hand-worked steps."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dendrix.exchange import DIALECTS, Graph, NIRNeuron, Node, from_nir
from dendrix.exchange.dialects import coefficients
from support.nir_graphs import affine, chain_graph, neuron

LIF = Node(
    "LIF", {"tau": np.array([2.5e-3]), "r": np.ones(1), "v_leak": np.zeros(1), "v_threshold": np.full(1, 0.1), "v_reset": np.zeros(1)}
)
CUBA = {"tau_syn": 5e-3, "tau_mem": 1e-2, "r": 2.0, "w_in": 1.5, "v_leak": 0.1}


def steps(neuron: NIRNeuron, *inputs: float) -> tuple[list[float], list[float]]:
    """Spikes and membranes of one neuron, in float64."""
    neuron, state, found = neuron.double(), None, []
    for x in inputs:
        y, state = neuron.step(torch.tensor([[x]], dtype=torch.float64), state)
        found.append((y.item(), state.v.item()))
    return [y for y, _ in found], pytest.approx([v for _, v in found])


@pytest.mark.parametrize(
    ("dialect", "trace", "file", "own_input"),
    [
        ("nir", "norse", "lif_norse", False),
        ("norse", "norse", "lif_norse", False),
        ("snntorch", "snntorch", "lif_norse", False),
        ("spyx", "spyx", "lif_norse", False),
        ("lava", "lava_cpu_float", "lif_norse", False),
        ("nengo", "nengo", "lif_norse", False),
        ("exact", "exact", "lif_norse", False),
        ("sinabs", "sinabs", "lif_norse", True),
        ("rockpool", "rockpool", "lif_rockpool", False),
    ],
)
@pytest.mark.shared
def test_spikes_are_those_of_the_library(shared: Path, dialect: str, trace: str, file: str, own_input: bool) -> None:
    folder = shared / "data" / "nir" / "lif"
    recorded = np.loadtxt(folder / f"lif_{trace}.csv", delimiter=",")
    given = recorded if own_input else np.loadtxt(folder / "lif_norse.csv", delimiter=",")
    with pytest.warns(UserWarning, match="its shape is") if file == "lif_rockpool" else nullcontext():
        network = from_nir(folder / f"{file}.nir", 0.1, dialect, strict=file != "lif_rockpool").double()
    y, _ = network(torch.tensor(given[:, 0]).view(1, -1, 1))
    assert y.sum() == 4
    assert np.array_equal(y[0, :, 0].detach().numpy(), recorded[:, 2])


@pytest.mark.parametrize(("dialect", "trace", "scale"), [("nir", "norse", 1.0), ("nengo", "nengo", 10.0), ("exact", "exact", 1.0)])
@pytest.mark.shared
def test_membranes_are_those_of_the_library(shared: Path, dialect: str, trace: str, scale: float) -> None:
    folder = shared / "data" / "nir" / "lif"
    recorded = np.loadtxt(folder / f"lif_{trace}.csv", delimiter=",")
    network = from_nir(folder / "lif_norse.nir", 0.1, dialect).double()
    x, state, found = torch.tensor(np.loadtxt(folder / "lif_norse.csv", delimiter=",")[:, 0]), None, []
    for x_t in x.view(-1, 1, 1):
        _, state = network.step(x_t, state)
        found.append(state[1].v.item())
    assert np.abs(np.array(found) * scale - recorded[:, 1]).max() < 1e-6


@pytest.mark.shared
def test_the_current_source_of_spyx_fires_far_more(shared: Path) -> None:
    folder = shared / "data" / "nir" / "lif"
    x = torch.tensor(np.loadtxt(folder / "lif_norse.csv", delimiter=",")[:, 0]).view(1, -1, 1)
    y, _ = from_nir(folder / "lif_norse.nir", 0.1, "spyx-main").double()(x)
    assert y.sum() == 272


@pytest.mark.shared
def test_a_file_of_rockpool_as_it_declares_itself(shared: Path) -> None:
    """Its r was meant for another time step: by Euler's method the spikes are not those of its own trace."""
    folder = shared / "data" / "nir" / "lif"
    x = torch.tensor(np.loadtxt(folder / "lif_norse.csv", delimiter=",")[:, 0]).view(1, -1, 1)
    with pytest.warns(UserWarning, match="Assumed"):
        network = from_nir(folder / "lif_rockpool.nir", 0.1, reset="soft", strict=False).double()
    assert network(x)[0].flatten().nonzero().flatten().tolist() == [460, 510, 720, 770]


def test_hard_and_soft_resets() -> None:
    inputs = [0.8] * 5
    assert steps(NIRNeuron(1, beta=0.5), *inputs) == ([0, 1, 0, 1, 0], [0.8, 0, 0.8, 0, 0.8])
    assert steps(NIRNeuron(1, beta=0.5, v_reset=None), *inputs) == ([0, 1, 0, 1, 0], [0.8, 0.2, 0.9, 0.25, 0.925])


def test_a_reset_in_the_next_step_takes_threshold_over_decay() -> None:
    y, v = steps(NIRNeuron(1, beta=0.5, v_reset=None, rho=2.0), *[0.8] * 5)
    assert y == [0, 1, 0, 0, 1]
    assert v == [0.8, 1.2 - 2, 0.4, 1.0, 1.3 - 2]


@pytest.mark.parametrize(("fires", "expected"), [(">", [0, 1, 0, 0, 1]), (">=", [1, 1, 1, 0, 1])])
def test_strict_thresholds(fires: str, expected: list[int]) -> None:
    assert steps(NIRNeuron(1, beta=0.5, fires=fires), 1, 1, 1, 0, 1)[0] == expected


def test_several_spikes_in_a_step() -> None:
    assert steps(NIRNeuron(1, beta=1.0, v_reset=None, fires="floor"), 2.5, 0) == ([2, 0], [0.5, 0.5])


@pytest.mark.parametrize(
    ("dialect", "expected"), [("nir", [1, 1, 0.75, 0.5]), ("paper", [0, 1, 1, 0.75]), ("rockpool", [0.5, 0.5, 0.375, 0.25])]
)
def test_when_a_synapse_acts(dialect: str, expected: list[float]) -> None:
    """Decays of a half and a gain of one; the exponential of rockpool has other time constants for them."""
    tau = 1e-3 / np.log(2) if dialect == "rockpool" else 2e-3
    params = {"tau_syn": tau, "tau_mem": tau, "r": 2.0, "w_in": 2.0, "v_leak": 0.0}
    found = coefficients("a", Node("CubaLI", {name: np.array([value]) for name, value in params.items()}), 1.0, DIALECTS[dialect])
    neuron = NIRNeuron(1, **{"v_threshold": None, "v_reset": None} | {k: v for k, v in vars(found).items() if v is not None})
    assert steps(neuron, 1, 0, 0, 0)[0] == pytest.approx(expected)


def test_the_exact_synapse() -> None:
    found = coefficients("a", Node("CubaLI", {name: np.array([value]) for name, value in CUBA.items()}), 1.0, DIALECTS["nengo"])
    i = found.alpha * 1 + found.g * 0.3
    h = found.beta * 0.2 + found.p * 1 + found.q * 0.3 + found.c
    assert (i.item(), h.item()) == pytest.approx((0.900302, 0.370847), abs=1e-6)


@pytest.mark.parametrize("equal", [False, True])
def test_the_exact_synapse_is_the_limit_of_small_steps(equal: bool) -> None:
    given = {**CUBA, "tau_mem": CUBA["tau_syn"]} if equal else CUBA
    node = Node("CubaLI", {name: np.array([value]) for name, value in given.items()})
    found = coefficients("a", node, 1.0, DIALECTS["nengo"])
    i, v, dt = 1.0, 0.2, 1e-3 / 20_000
    for _ in range(20_000):
        i, v = i + dt / given["tau_syn"] * (1.5 * 0.3 - i), v + dt / given["tau_mem"] * (0.1 - v + 2 * i)
    assert found.alpha * 1 + found.g * 0.3 == pytest.approx(i, abs=1e-5)
    assert found.beta * 0.2 + found.p * 1 + found.q * 0.3 + found.c == pytest.approx(v, abs=1e-5)


def test_truncated_products() -> None:
    neuron = NIRNeuron(1, beta=0.75, alpha=0.5, v_threshold=None, v_reset=None, grid=1 / 64)
    i = v = 0
    expected = []
    for x in (3, -5, 0, 0, 0, 0, 0, 0, 0):
        i = int(i * 0.5) + 64 * x  # int truncates towards zero
        v = int(v * 0.75) + i
        expected.append(v / 64)
    assert steps(neuron, 3, -5, *[0] * 7)[0] == expected


@pytest.mark.shared
def test_lava_netx_to_the_bit(shared: Path) -> None:
    """The first layer of the Oxford network on integers: 256 neurons, 2000 steps."""
    import h5py

    folder = shared / "data" / "nir" / "lava_netx_oxford"
    with h5py.File(folder / "network.net") as file:
        found = {name: int(np.ravel(file["layer/0/neuron"][name][()])[0]) for name in ("iDecay", "vDecay", "vThMant")}
    record = np.load(folder / "layer_io.npz")
    x = torch.tensor(record["input"].T[None].astype(np.float32)) @ torch.tensor(record["weight"].T.astype(np.float32))
    decays = {"alpha": 1 - found["iDecay"] / 4096, "beta": 1 - found["vDecay"] / 4096}
    y, _ = NIRNeuron(256, **decays, v_threshold=found["vThMant"], grid=1 / 64)(x)
    assert np.array_equal(y[0, :-1].T.numpy(), record["output"][:, 1:])
    assert y.sum() == 1826


@pytest.mark.parametrize(
    ("dialect", "kind", "change", "why"),
    [
        ("norse", "LIF", {"v_leak": 0.1}, "v_leak is not 0"),
        ("snntorch", "LIF", {"v_leak": 0.1}, "v_leak is not 0"),
        ("snntorch", "CubaLIF", {}, "r is not tau_mem / dt"),
        ("rockpool", "IF", {}, "its import has no IF"),
        ("norse", "LI", {}, "its import has no LI"),
        ("snntorch", "LI", {}, "its import has no LI"),
        ("sinabs", "LIF", {"v_leak": 0.1}, "v_leak is not 0"),
        ("sinabs", "LI", {"r": 2.0}, "r is not 1"),
        ("spikingjelly", "LI", {}, "its import has no LI"),
        ("spikingjelly", "IF", {}, "r is not 1 / dt"),
        ("spikingjelly", "CubaLIF", {}, "r is not tau_mem / dt"),
        ("spikingjelly", "LIF", {"r": [1.0, 2.0, 1.0, 1.0]}, "differ within the node"),
        ("spikingjelly", "LIF", {"r": 3.0}, "r is neither"),
        ("spikingjelly", "LIF", {"v_reset": -1.0}, "v_leak is not v_reset"),
        ("sinabs", "CubaLIF", {}, "its import has no CubaLIF"),
        ("exact", "CubaLIF", {}, "LIF neurons in a row"),
    ],
)
def test_what_a_library_cannot_express_is_refused(dialect: str, kind: str, change: dict[str, float], why: str) -> None:
    with pytest.raises(ValueError, match=rf"node 'neuron' \({kind}\): expected .*{why}"):
        from_nir(chain_graph(kind, **change), 0.1, dialect)


@pytest.mark.parametrize(
    ("dialect", "why"),
    [("norse", "values that are no spikes"), ("snntorch", "through the feedback weights"), ("sinabs", "over whole sequences")],
)
def test_imports_that_take_feedback_for_something_else(dialect: str, why: str) -> None:
    graph = chain_graph("LIF")
    looped = Graph({**graph.nodes, "back": affine(4, 4)}, (*graph.edges, ("neuron", "back"), ("back", "neuron")))
    with pytest.raises(ValueError, match=rf"node 'neuron' \(LIF\): expected .*{why}"):
        from_nir(looped, 0.1, dialect)


def test_rockpool_takes_its_time_step_from_the_gain() -> None:
    """The shortest tau_mem / (1 + r), whatever the time step is."""
    node = neuron("CubaLIF", r=[9.0, 19, 39, 39])
    found = [coefficients("a", node, dt_ms, DIALECTS["rockpool"]) for dt_ms in (0.1, 0.2)]
    assert found[0].beta == pytest.approx(np.exp(-0.025)) == found[1].beta


def test_a_step_longer_than_a_time_constant_is_refused() -> None:
    with pytest.raises(ValueError, match=r"node 'neuron' \(LIF\): expected a time step below tau, 10 ms, got 20 ms"):
        from_nir(chain_graph("LIF"), 20.0)
    with pytest.warns(UserWarning, match=r"node 'neuron' \(LIF\): a step is longer than tau, and leaves 13.5% of the state"):
        from_nir(chain_graph("LIF"), 20.0, "nengo")


def test_an_unknown_dialect_has_a_suggestion() -> None:
    with pytest.raises(ValueError, match="Did you mean 'norse'"):
        from_nir(chain_graph("LIF"), 1.0, "nors")


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "exact"])
def test_gradients_reach_the_weights(dialect: str) -> None:
    graph = chain_graph("LIF", r=10.0)
    network = from_nir(graph, 1.0, dialect)  # r is tau / dt
    x: Tensor = torch.rand(2, 20, 3) * 4
    y, _ = network(x)
    assert y.sum() > 0
    y.sum().backward()
    assert all(p.grad.any() for p in network.parameters())
