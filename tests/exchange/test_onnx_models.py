"""ONNX models in onnxruntime: the outputs of the network, step by step and for whole sequences."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from dendrix.core import accumulate
from dendrix.exchange import NIRNeuron, to_nir, to_onnx
from dendrix.exchange.image_frames import over_time
from dendrix.exchange.onnx_models import _prepared, run_steps, session
from dendrix.exchange.onnx_readme import readme
from dendrix.layers import PerStep, Recurrent, Sequential, freeze
from dendrix.models import (
    VGG,
    Converted,
    ConvertedConfig,
    Decision,
    DelayNet,
    DelayNetConfig,
    DendriticNet,
    DendriticNetConfig,
    ResNet,
    ResNetConfig,
    SpikeGPT,
    SpikeGPTConfig,
    VGGConfig,
)  # fmt: skip
from dendrix.models.decision import Accumulation
from dendrix.neurons import IF, LI, LIF, AdLIF, CubaLIF
from dendrix.run_folder import read_checkpoint


def converted(neuron: str = "signed") -> Converted:
    config = VGGConfig(3, stages=((8,), (8,)), threshold=1.0)
    return Converted(ConvertedConfig("vgg", vars(config), height=8, width=8, neuron=neuron), VGG(config).eval())


def residual() -> Converted:
    config = ResNetConfig(3, channels_of=(8, 16), blocks=(1, 1), threshold=1.0)
    return Converted(ConvertedConfig("resnet", vars(config), height=8, width=8), ResNet(config).eval())


def dendritic() -> DendriticNet:
    """With two tasks, whose prototypes choose the context."""
    network = DendriticNet(DendriticNetConfig(12, 3, (32,), segments=2, tasks=2))
    for shift in (0.0, 1.0):
        network.begin_task(torch.rand(20, 12) + shift)
    return network


NETWORKS = {
    "neurons": lambda: Sequential(nn.Linear(12, 32), LIF(32, v_init=0.3), CubaLIF(32), Recurrent(IF(32), nn.Linear(32, 32)), LI(32)),
    "imported": lambda: Sequential(PerStep(nn.Linear(12, 32)), NIRNeuron(32, alpha=0.5), NIRNeuron(32, v_reset=None, c=0.01)),
    "delays": lambda: DelayNet(DelayNetConfig(12, 5, (16,), recurrent_delay_ms=50.0)),
    "converted": converted,
    "converted, IF": lambda: converted("if"),
    "converted ResNet": residual,
    "dendritic": dendritic,
    "AdLIF": lambda: Sequential(nn.Linear(12, 32), AdLIF(32, v_threshold=0.3), nn.Linear(32, 5), LI(5)),
    "SpikeGPT": lambda: SpikeGPT(SpikeGPTConfig(50, 16, 2)),
    "SpikeGPT, own time mix": lambda: SpikeGPT(SpikeGPTConfig(50, 16, 2, "input", decay_rank=3, window=4)),
    "shipped": lambda: read_checkpoint("fsdd").model,
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.extended] * (name not in ("neurons", "delays"))) for name in NETWORKS]
)
def test_a_model_gives_the_outputs_of_its_network(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name]().eval()
    model = to_onnx(network, tmp_path / "net.onnx")
    assert {operator.domain for operator in model.graph.node} == {""}
    whole = to_onnx(network, form="sequence")
    sizes = [axis.dim_value for axis in whole.graph.input[0].type.tensor_type.shape.dim[2:]]
    x = torch.randint(50, (2, 25)) if "SpikeGPT" in name else (torch.rand(2, 25, *sizes) < 0.3).float()
    with torch.no_grad():
        wanted = freeze(over_time(network))(x)[0].numpy()
    found = session(whole).run(None, {"sequence": x.numpy()})[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(run_steps(session(model), x[:1].numpy()), wanted[:1], rtol=1e-3, atol=1e-4)


def test_integer_weights_are_smaller_and_near() -> None:
    torch.manual_seed(0)
    network = Sequential(nn.Linear(64, 128), LI(128)).eval()
    plain, small = to_onnx(network), to_onnx(network, int8=True)
    assert small.ByteSize() < 0.5 * plain.ByteSize()
    x = (torch.rand(1, 20, 64) < 0.3).float().numpy()
    wanted, found = (run_steps(session(model), x) for model in (plain, small))
    assert 0 < np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()


def test_binary_embeddings_are_exact_in_8_bits() -> None:
    network, tokens = SpikeGPT(SpikeGPTConfig(50, 16, 2)).eval(), torch.randint(50, (3, 20))
    before = network.emb.weight.detach().clone()
    prepared = _prepared(freeze(network))
    assert torch.equal(prepared(tokens)[0], network(tokens)[0])
    assert set(prepared.emb.weight.abs().flatten().tolist()) == {0.5}
    assert torch.equal(network.emb.weight, before)


def test_the_page_beside_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    network = Sequential(nn.Linear(12, 32), LIF(32)).eval()
    for form in ("step", "sequence"):
        to_onnx(network, "net.onnx", form=form)
        page = readme("net.onnx", form, (12,), [f"class{i}" for i in range(32)], decision=Decision("max", tail_ms=30.0))
        names: dict[str, np.ndarray] = {}
        exec(page.split("```python\n")[1].split("```")[0], names)
        assert names["outputs"].shape == (1, 100, 32)
        assert names["number"].shape == (1,)
        assert "class0, class1" in page
        assert "Append 30 ms of zeros" in page


def test_the_page_of_an_image_says_for_how_many_steps_it_is_shown() -> None:
    page = readme("net.onnx", "sequence", (3, 8, 8), presented=4)
    assert "np.zeros((1, 4, 3, 8, 8), np.float32)" in page
    assert "the same at each of 4 steps" in page


@pytest.mark.parametrize("accumulation", get_args(Accumulation))
def test_the_page_decides_as_dendrix_does(accumulation: Accumulation) -> None:
    names = {"outputs": np.random.default_rng(0).normal(size=(50, 9, 5)).astype(np.float32)}
    page = readme("net.onnx", "sequence", (3,), "abcde", decision=Decision(accumulation))
    exec("import numpy as np\n" + next(line for line in page.splitlines() if line.startswith("number")), names)
    wanted = accumulate(torch.from_numpy(names["outputs"]), None, accumulation)[:, -1].argmax(-1)
    assert names["number"].tolist() == wanted.tolist()


def test_a_network_without_time_is_refused() -> None:
    network = VGG(VGGConfig(3, stages=((4,), (4,)))).eval()
    for export in (to_onnx, to_nir):
        with pytest.raises(ValueError, match=r"network: expected one over time, got VGG\. Convert an image network first"):
            export(network)


def test_what_torch_cannot_export_is_one_sentence(tmp_path: Path) -> None:
    class Branches(Sequential):
        def step(self, x_t: torch.Tensor, state: object = None) -> tuple[torch.Tensor, object]:
            return (x_t if x_t.sum() > 0 else -x_t), ()

    with pytest.raises(ValueError, match=r"network: expected one that torch can export, but .*Replace that layer"):
        to_onnx(Branches(nn.Linear(3, 3)), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError, match="expected a file in a folder that exists"):
        to_onnx(Branches(nn.Linear(3, 3)), tmp_path / "none" / "net.onnx")
