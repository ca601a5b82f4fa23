"""`.net` files of lava-dl: to the bit, and what is not read in one sentence."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from dendrix.exchange import from_netx, from_nir


def write(path: Path, *layers: dict[str, Any]) -> Path:
    """A file with these layers; values of the neurons begin with `neuron/`."""
    with h5py.File(path, "w") as file:
        for i, layer in enumerate(layers):
            for name, value in layer.items():
                file[f"layer/{i}/{name}"] = value
    return path


def dense(out: int = 4, into: int = 3, **change: Any) -> dict[str, Any]:
    neuron = {"neuron/type": "CUBA", "neuron/iDecay": 4096, "neuron/vDecay": 415, "neuron/vThMant": 6, "neuron/refDelay": 1}
    return {"type": np.array([b"dense"]), "weight": np.full((out, into), 3.0), **neuron, "neuron/gradedSpike": False} | change


@pytest.mark.shared
def test_the_recorded_layer_to_the_bit(shared: Path) -> None:
    """The first layer of the Oxford network: 256 neurons, 2000 steps, 1826 spikes, each a step after its input."""
    folder = shared / "data" / "nir" / "lava_netx_oxford"
    network = from_netx(folder / "network.net")
    record = np.load(folder / "layer_io.npz")
    assert np.array_equal(network.stages[0].module.weight.detach().numpy(), record["weight"])
    x = torch.tensor(record["input"].T[None].astype(np.float32))
    for stage in network.stages[:3]:
        x, _ = stage(x)
    assert np.array_equal(x[0].T.detach().numpy(), record["output"])
    assert x.sum() == 1826


def test_layers_pass_their_spikes_on_a_step_later(tmp_path: Path) -> None:
    network = from_netx(write(tmp_path / "two.net", dense(4, 3), dense(2, 4)))
    x = torch.zeros(1, 5, 3)
    x[0, 0] = 1
    y, _ = network(x)
    assert y[0, :, 0].tolist() == [0, 0, 1, 0, 0]
    y.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([dense(type="conv")], "layer 0: expected a dense layer of CUBA neurons, got 'conv' of 'CUBA'"),
        ([dense(**{"neuron/type": "ALIF"})], "got 'dense' of 'ALIF'"),
        ([dense(delay=np.ones(3))], "layer 0: expected weights alone, got a delay"),
        ([dense(**{"neuron/gradedSpike": True})], "expected plain spikes"),
        ([dense(**{"neuron/refDelay": 2})], "expected plain spikes"),
        ([dense(weight=np.full((4, 3), 0.5))], r"expected whole weights \[C_out, C_in\], got \[4, 3\] of float64"),
        ([dense(weight=np.full((4, 3), np.nan))], "expected whole weights"),
        ([dense(), dense(4, 5)], "layer 1: expected weights for 4 inputs, as the layer before has outputs, got 5"),
        ([dense(**{"neuron/vDecay": 5000})], "expected vDecay as a whole number from 0 to 4,096, got"),
        ([dense(**{"neuron/vThMant": np.ones(2)})], "expected vThMant as a whole number"),
        ([], "has no group 'layer'"),
    ],
)
def test_what_is_not_read_is_one_sentence(layers: list[dict[str, Any]], why: str, tmp_path: Path) -> None:
    path = write(tmp_path / "net.net", *layers)
    with pytest.raises(ValueError, match=why) as raised:
        from_netx(path)
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match="read by from_netx"):
        from_nir(path, 1.0)
