"""Converted networks as models: built, saved, read, and run with exits."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from dendrix.convert import calibrate
from dendrix.models import VGG, Converted, ConvertedConfig, ResNet, ResNetConfig, VGGConfig
from dendrix.run_folder.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

SMALL_VGG = VGGConfig(3, stages=((4,), (6, 6)), threshold=2.0)
SMALL_RESNET = ResNetConfig(3, channels_of=(4, 6), blocks=(1, 1), threshold=2.0)
RELU_VGG = VGGConfig(3, stages=((4,), (6, 6)), activation="relu", pool="max")


def images() -> Tensor:
    return torch.rand(5, 3, 16, 16)


def trained(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.3, 1.5)
    return network.eval()


def converted(kind: str) -> Converted:
    options: dict[str, Any] = dict(height=16, width=16, steps=4)
    if kind == "vgg":
        return Converted(ConvertedConfig("vgg", asdict(SMALL_VGG), neuron="if", **options), trained(VGG(SMALL_VGG)))
    if kind == "resnet":
        return Converted(ConvertedConfig("resnet", asdict(SMALL_RESNET), **options), trained(ResNet(SMALL_RESNET)))
    ceilings = "channel" if kind == "channels" else "layer"
    ann = calibrate(trained(VGG(RELU_VGG)), [images()], per_channel=kind == "channels")
    return Converted(ConvertedConfig("vgg", asdict(RELU_VGG), max_pool="spiking", ceilings=ceilings, **options), ann)


@pytest.mark.parametrize("kind", ["vgg", "resnet", "layers", "channels"])
def test_what_is_saved_is_read_again(kind: str, tmp_path: Path) -> None:
    model, x = converted(kind), images()
    write_checkpoint(tmp_path, Checkpoint(model, ("cat", "dog", "owl")))
    found = read_checkpoint(tmp_path).model
    assert isinstance(found, Converted)
    assert found.config == model.config
    assert_close(found.eval()(found.encode(x))[0], model(model.encode(x))[0], rtol=0, atol=0)
    assert found.encode(x).shape[1] == 4
    assert model.audit is not None
    assert found.audit is None  # its thresholds would be those of a start


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, Checkpoint(converted("vgg"), ("cat", "dog", "owl")))
    config = tmp_path / "config.json"
    described = json.loads(config.read_text())
    described["config"]["ann_config"]["stages"] = [[5], [6, 6]]
    config.write_text(json.dumps(described))
    with pytest.raises(ValueError, match=r"expected the weights of config\.json"):
        read_checkpoint(tmp_path)


def test_bad_configurations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ann: got 'vog'\. Did you mean 'vgg'\? Expected one of described, resnet, vgg"):
        ConvertedConfig("vog", {})
    with pytest.raises(ValueError, match="ceilings: expected one of"):
        ConvertedConfig("vgg", asdict(SMALL_VGG), ceilings="none")
    with pytest.raises(ValueError, match=r"steps: expected a whole number in \[1, inf\)"):
        ConvertedConfig("vgg", asdict(SMALL_VGG), steps=0)
    with pytest.raises(ValueError, match="maximum of spikes"):
        Converted(ConvertedConfig("vgg", asdict(VGGConfig(pool="max"))))


def test_networks_of_torchvision_load_by_name() -> None:
    """The names that VGG and ResNet have there, so that a state_dict of a ReLU network loads as it is."""
    vgg = set(VGG(RELU_VGG).state_dict())
    assert {"features.0.weight", "features.1.running_mean", "features.4.weight", "classifier.0.weight"} <= vgg
    resnet = set(ResNet(ResNetConfig(3, channels_of=(4, 6), blocks=(1, 1), activation="relu")).state_dict())
    assert {"conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight", "fc.bias"} <= resnet
    assert not [name for name in vgg | resnet if "normalise" in name or "threshold" in name]
