"""Every graph of the data pack: loads, runs, and gives the recorded or the hand-checked numbers."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dendrix.exchange import build_graph, from_nir, read_graph, reading_of, to_nir
from dendrix.layers import Sequential

pytestmark = pytest.mark.shared
BIAS = "braille/braille_noDelay_bias_zero"
SUBTRACT = "braille/braille_noDelay_noBias_subtract"
STRICT = [
    ("lif/lif_norse.nir", 0.1),
    ("roundtrip/snntorch_test_lif.nir", 0.1),
    (f"{BIAS}.nir", 0.1),
    (f"{SUBTRACT}.nir", 0.1),
    ("roundtrip/norse_test_braille.nir", 0.1),
    ("cnn_nmnist/cnn_sinabs.nir", 1.0),
]
LENIENT = [
    ("lif/lif_rockpool.nir", 0.1, r"node 'output' \(Output\): expected input of shape \[1, 1, 1\], as it declares, got \[1\]"),
    (f"{BIAS}_subgraph.nir", 0.1, "edges of 'lif1.lif': expected a node of this name in the graph, which has none"),
    (f"{SUBTRACT}_subgraph.nir", 0.1, "edges of 'lif1.lif'"),
    ("roundtrip/rockpool_test_braille.nir", 1000.0, r"node 'hidden.input' \(Entry\): expected input of shape \[12\]"),
]


@pytest.fixture
def folder(shared: Path) -> Path:
    return shared / "data" / "nir"


@pytest.fixture
def touches() -> Tensor:
    """Random spikes of twelve sensors, [1, 256, 12]."""
    return torch.tensor(np.random.default_rng(0).random((256, 12)) < 0.1).float().unsqueeze(0)


def counts(path: Path, x: Tensor, **asked: object) -> tuple[int, list[int]]:
    """Hidden spikes, and those of each output."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = read_graph(path, strict=False)
        network = build_graph(graph, reading_of(graph, 0.1, **asked), strict=False)
    values, _ = network.run(x)
    hidden = next(name for name in network.names if name.startswith("lif1."))
    return int(values[hidden].sum()), values["output"].sum((0, 1)).int().tolist()


@pytest.mark.parametrize(("file", "dt_ms"), STRICT)
def test_complete_graphs_load_strictly(folder: Path, file: str, dt_ms: float) -> None:
    assert isinstance(from_nir(folder / file, dt_ms), Sequential)


@pytest.mark.parametrize(("file", "dt_ms", "problem"), LENIENT)
def test_other_graphs_load_leniently_and_say_what_was_assumed(folder: Path, file: str, dt_ms: float, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        from_nir(folder / file, dt_ms)
    with pytest.warns(UserWarning, match=f"{problem}.*Assumed"):
        assert isinstance(from_nir(folder / file, dt_ms, strict=False), Sequential)


@pytest.mark.parametrize("form", ["", "_subgraph"])
@pytest.mark.parametrize(
    ("file", "asked", "hidden", "outputs"),
    [
        (BIAS, {}, 91, [120, 74, 93, 80, 60, 112, 99]),
        (BIAS, {"reset": "soft"}, 123, None),
        (SUBTRACT, {"reset": "soft"}, 162, [17, 5, 21, 1, 30, 25, 17]),
        (SUBTRACT, {}, 93, None),
        (SUBTRACT, {"dialect": "paper"}, 210, None),
    ],
)
def test_braille_networks_fire_as_counted_by_hand(
    folder: Path, touches: Tensor, form: str, file: str, asked: dict[str, str], hidden: int, outputs: list[int] | None
) -> None:
    found = counts(folder / f"{file}{form}.nir", touches, **asked)
    assert found[0] == hidden
    assert outputs is None or found[1] == outputs


def test_the_braille_network_of_norse(folder: Path, touches: Tensor) -> None:
    path = folder / "roundtrip" / "norse_test_braille.nir"
    assert [counts(path, touches, reset=reset)[0] for reset in ("hard", "soft")] == [281, 512]


def frames(pack: Path, first: int, last: int) -> tuple[Tensor, Tensor, Tensor]:
    """Event counts of N-MNIST recordings in steps of 1 ms, [B, T, 2, 34, 34], their valid steps and labels."""
    archive = np.load(pack / "data" / "events" / "nmnist_small.npz")
    found = []
    for item in range(first, last):
        part = slice(archive["offsets"][item], archive["offsets"][item + 1])
        time = np.cumsum(archive["dt"][part])
        step = (time - time[0]) // 1000
        frame = np.zeros((step[-1] + 1, 2, 34, 34), np.float32)
        np.add.at(frame, (step, archive["yp"][part] >> 7, archive["yp"][part] & 127, archive["x"][part]), 1)
        found.append(torch.tensor(frame))
    valid = torch.arange(max(map(len, found))) < torch.tensor([len(frame) for frame in found]).unsqueeze(1)
    return torch.nn.utils.rnn.pad_sequence(found, batch_first=True), valid, torch.tensor(archive["labels"][first:last].astype(int))


@pytest.mark.slow
def test_the_convolutional_network_recognises_digits(folder: Path, shared: Path) -> None:
    x, valid, labels = frames(shared, 400, 450)
    with torch.no_grad():
        y, _ = from_nir(folder / "cnn_nmnist" / "cnn_sinabs.nir", 1.0, gain="unit")(x, None, valid)
    assert (y.sum(1).argmax(1) == labels).all()
    assert y.sum() == 5405


def test_the_convolutional_network_on_one_item(folder: Path, shared: Path) -> None:
    x, _, _ = frames(shared, 400, 401)
    y, _ = from_nir(folder / "cnn_nmnist" / "cnn_sinabs.nir", 1.0, gain="unit")(x)
    assert y.sum((0, 1)).int().tolist() == [0, 3, 1, 0, 0, 0, 0, 110, 0, 0]


@pytest.mark.parametrize(("file", "dt_ms"), STRICT)
def test_graphs_go_out_as_they_came(folder: Path, file: str, dt_ms: float, tmp_path: Path) -> None:
    """Import, export, import: the same parameters but for rounding, and the same spikes."""
    network = from_nir(folder / file, dt_ms)
    shape = (2, 34, 34) if "cnn" in file else None
    to_nir(network, tmp_path / "again.nir", dt_ms=dt_ms, shape=shape, compact=False)
    again = from_nir(tmp_path / "again.nir")
    x = (torch.rand(1, 30, *(shape or (network.stages[0].module.in_features,))) < 0.3).float() * 3
    assert torch.equal(network(x)[0], again(x)[0])
    weights = [tensor for name, tensor in network.named_parameters() if "bias" not in name]
    assert all(torch.equal(a, b) for a, b in zip(weights, [t for n, t in again.named_parameters() if "bias" not in n], strict=True))


@pytest.mark.parametrize(("file", "dt_ms"), STRICT)
def test_graphs_train_on(folder: Path, file: str, dt_ms: float) -> None:
    """A few steps of descent lower a loss on the outputs."""
    torch.manual_seed(0)
    network = from_nir(folder / file, dt_ms, gain="unit")
    shape = (2, 34, 34) if "cnn" in file else (network.stages[0].module.in_features,)
    x = (torch.rand(4, 20, *shape) < 0.3).float()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(8):
        y, _ = network(x)
        losses.append(((y.mean(1) - 0.5) ** 2).mean())
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < losses[0]
