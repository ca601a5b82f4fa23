"""VGG and ResNet: sizes as published, names as in torchvision, and what conversion needs of them."""

from collections.abc import Iterator

import pytest
import torch
from torch import fx, nn

from dendrix.layers import QCFS
from dendrix.models import MODELS, VGG, ImageConfig, ResNet, ResNetConfig, VGGConfig, resnet18, resnet20, resnet34, vgg16
from dendrix.run_folder.checkpoint import Checkpoint, load_checkpoint, write_checkpoint

KINDS = dict(MODELS.values())
SMALL = [
    VGGConfig(stages=((4, 6), (8,)), hidden=(5,)),
    ResNetConfig(channels_of=(4, 8), blocks=(1, 2)),
    ResNetConfig(channels_of=(4,), blocks=(1,), stem="large"),
]


@pytest.fixture
def without_memory() -> Iterator[None]:
    """Tensors have shapes and no numbers."""
    with torch.device("meta"):
        yield


def weights(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(module.weight.numel() for module in network.modules() if isinstance(module, kind))


def multiply_adds(network: nn.Module, side: int) -> int:
    count = 0

    def look(module: nn.Module, _: object, y: torch.Tensor) -> None:
        nonlocal count
        count += y[0].numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(look)
    network.eval()(torch.empty(1, 3, side, side))
    return count


@pytest.mark.usefixtures("without_memory")
def test_sizes_are_as_published() -> None:
    assert multiply_adds(VGG(VGGConfig()), 32) == 8_701_184
    assert multiply_adds(VGG(vgg16()), 32) == 313_196_544 + 512 * 4096 + 4096 * 4096 + 4096 * 10
    assert weights(ResNet(resnet20()), nn.Conv2d) == 432 + 6 * 2304 + 4608 + 5 * 9216 + 18432 + 5 * 36864 + 512 + 2048
    assert multiply_adds(ResNet(resnet18()), 32) == 555_422_720
    thirty_four = ResNet(resnet34())
    assert sum(p.numel() for p in thirty_four.parameters()) - sum(isinstance(m, QCFS) for m in thirty_four.modules()) == 21_797_672


def test_names_are_those_of_torchvision() -> None:
    vgg = VGG(VGGConfig(activation="relu", stages=((64, 64), (128,)), hidden=(16,)))
    assert [type(part).__name__ for part in vgg.features] == [
        *["Conv2d", "BatchNorm2d", "ReLU"] * 2,
        "AvgPool2d",
        "Conv2d",
        "BatchNorm2d",
        "ReLU",
        "AvgPool2d",
    ]
    assert {name.rpartition(".")[0] for name in vgg.state_dict()} == {f"features.{n}" for n in (0, 1, 3, 4, 7, 8)} | {
        "classifier.0",
        "classifier.3",
    }
    resnet = ResNet(ResNetConfig(activation="relu", channels_of=(4, 8), blocks=(1, 1)))
    inside = [f"layer{n}.0.{part}" for n in (1, 2) for part in ("conv1", "bn1", "conv2", "bn2")]
    assert {name.rpartition(".")[0] for name in resnet.state_dict()} == {
        "conv1",
        "bn1",
        "fc",
        *inside,
        "layer2.0.downsample.0",
        "layer2.0.downsample.1",
    }


@pytest.mark.parametrize("config", SMALL, ids=str)
@pytest.mark.parametrize("activation", ["qcfs", "relu"])
def test_fx_traces_it_and_every_activation_is_a_module_of_its_own(config: ImageConfig, activation: str) -> None:
    class Tracer(fx.Tracer):
        def is_leaf_module(self, module: nn.Module, name: str) -> bool:
            return isinstance(module, QCFS) or super().is_leaf_module(module, name)

    network = KINDS[type(config)](type(config)(**{**vars(config), "activation": activation})).eval()
    graph = Tracer().trace(network)
    kind = QCFS if activation == "qcfs" else nn.ReLU
    called = [node.target for node in graph.nodes if node.op == "call_module" and isinstance(network.get_submodule(node.target), kind)]
    assert len(called) == len(set(called)) == sum(isinstance(module, kind) for module in network.modules())
    x = torch.rand(2, 3, 16, 16)
    assert torch.equal(fx.GraphModule(network, graph)(x), network(x))


@pytest.mark.parametrize("config", SMALL, ids=str)
def test_a_checkpoint_brings_it_back(config: ImageConfig, tmp_path: object) -> None:
    network = KINDS[type(config)](config)
    network(torch.rand(4, 3, 16, 16))
    write_checkpoint(tmp_path, Checkpoint(network, tuple("0123456789")))
    again, x = load_checkpoint(tmp_path).model, torch.rand(2, 3, 16, 16)
    assert again.config == config
    assert torch.equal(again(x), network.eval()(x))


def test_normalisation_is_inside() -> None:
    network = VGG(VGGConfig(stages=((4,),), mean=(0.2, 0.4, 0.6), std=(0.1, 0.2, 0.5))).eval()
    seen = []
    network.features.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1) + torch.tensor([0.1, 0.2, 0.5]).view(1, 3, 1, 1) * torch.ones(1, 3, 4, 4))
    torch.testing.assert_close(seen[0], torch.ones(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(levels=0), "levels"),
        (dict(threshold=0.0), "threshold"),
        (dict(activation="gelu"), "activation"),
        (dict(mean=(0.5,)), "mean and std"),
        (dict(std=(0.1, 0.1, 0.0)), "std: expected a number in"),
        (dict(stages=((8,), ())), "stages"),
        (dict(dropout=1.0), "dropout"),
    ],
)
def test_a_wrong_field_is_named(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VGGConfig(**wrong)
    if "stages" not in wrong and "dropout" not in wrong:
        with pytest.raises(ValueError, match=message):
            ResNetConfig(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(blocks=()), "blocks: expected 1 or more whole numbers"),
        (dict(blocks=(2, 2)), "channels_of and blocks: expected one of each per stage"),
        (dict(channels_of=(0, 1, 2, 3)), r"channels_of: expected a whole number in \[1, inf\), got 0"),
    ],
)
def test_stages_that_do_not_fit_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNetConfig(**wrong)
