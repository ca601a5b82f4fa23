"""A spiking network that was converted from an image network: built from its configuration, it can be saved and read again."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ..convert import MaxPool, NeuronKind, clip, convert
from ..core import State, Stateful, expect_fields, expect_instance, expect_one_of
from ..core.trust import Trust
from .description import build, describe
from .vision.parts import ImageConfig
from .vision.resnet import ResNet, ResNetConfig
from .vision.vgg import VGG, VGGConfig

_DESCRIBED = "described"
_NETWORKS: dict[str, tuple[type[ImageConfig], type[nn.Module]]] = {"vgg": (VGGConfig, VGG), "resnet": (ResNetConfig, ResNet)}


@dataclass(frozen=True)
class ConvertedConfig:
    """From what a `Converted` was made, and how."""

    ann: str
    """The kind of network that was converted, as checkpoints name it: vgg or resnet; or "described", for any other."""
    ann_config: dict[str, Any]
    """The configuration of that network, or its description, as `models.description` gives it."""
    steps: int = 8
    """For how many steps an image is shown."""
    neuron: NeuronKind = "signed"
    """The neurons, as in `convert`."""
    max_pool: MaxPool = "refuse"
    """What becomes of maximum pooling, as in `convert`."""
    ceilings: Literal["trained", "layer", "channel"] = "trained"
    """Where thresholds come from: QCFS, or ceilings that `calibrate` measured for each layer or channel of a ReLU network."""
    height: int = 32
    width: int = 32
    """Pixels of the images."""
    channels: int = 3
    """C of the images; VGG and ResNet say it themselves."""
    outputs: int = 10
    """Classes, K; VGG and ResNet say it themselves."""

    def __post_init__(self) -> None:
        expect_one_of(self.ann, (*_NETWORKS, _DESCRIBED), "ann")
        expect_one_of(self.neuron, get_args(NeuronKind), "neuron")
        expect_one_of(self.max_pool, get_args(MaxPool), "max_pool")
        expect_one_of(self.ceilings, ("trained", "layer", "channel"), "ceilings")
        counts = dict.fromkeys(("steps", "height", "width", "channels", "outputs"), "[1, inf)")
        expect_fields(self, whole=counts, **counts)
        if self.ann != _DESCRIBED:
            # A wrong configuration is found here, not when it is built; and JSON's lists become what they were.
            network = _NETWORKS[self.ann][0](**self.ann_config)
            object.__setattr__(self, "ann_config", asdict(network))
            object.__setattr__(self, "channels", network.channels)
            object.__setattr__(self, "outputs", network.outputs)

    @classmethod
    def of(cls, ann: nn.Module, **settings: Any) -> "ConvertedConfig":
        """The configuration for a network that is to be converted; `settings` are the other fields.

        Raises:
            InputTypeError: a part of the network cannot be described by data.
        """
        for name, (kind, network) in _NETWORKS.items():
            if type(ann) is network and isinstance(config := getattr(ann, "config", None), kind):
                return cls(ann=name, ann_config=asdict(config), **settings)
        return cls(ann=_DESCRIBED, ann_config=describe(ann), **settings)

    def untrained(self, trust: Trust = None) -> nn.Module:
        """The network that was converted, with the weights of its start.

        Args:
            trust: the package or file of classes that are not of dendrix or torch.
        """
        if self.ann == _DESCRIBED:
            network: nn.Module = build(self.ann_config, trust)
            return network
        kind, network_type = _NETWORKS[self.ann]
        return network_type(kind(**self.ann_config))


class Converted(Stateful):
    """currents [B, T, ...] -> outputs of every step [B, T, K], not accumulated; `encode` turns images into currents.

    Args:
        config: what to build.
        ann: the trained network, after `calibrate` unless its thresholds are trained; None builds one whose weights are still to be loaded,
            and which has no audit.
        trust: the package or file of classes of that network that are not of dendrix or torch.
    """

    def __init__(self, config: ConvertedConfig, ann: nn.Module | None = None, *, trust: Trust = None):
        super().__init__()
        expect_instance(config, ConvertedConfig, "config")
        example = torch.zeros(2, config.channels, config.height, config.width)
        trained = ann is not None
        if ann is None:
            ann = config.untrained(trust).eval()
            if config.ceilings != "trained":
                ann = clip(ann, example, per_channel=config.ceilings == "channel")
        conversion = convert(ann, example, neuron=config.neuron, max_pool=config.max_pool)
        self.config, self.network = config, conversion.network
        self.audit = conversion.audit if trained else None

    def arguments(self) -> dict[str, Any]:
        return dict(config=self.config)

    def encode(self, images: Tensor, steps: int | None = None) -> Tensor:
        """As `SpikingNetwork.encode`, for the steps of the configuration or others."""
        return self.network.encode(images, self.config.steps if steps is None else steps)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        outputs: tuple[Tensor, State] = self.network(x, state, valid)
        return outputs


def network_input(network: nn.Module, x: Tensor) -> Tensor:
    """Inputs as a network takes them: a converted network takes images as the currents of every step."""
    return network.encode(x) if isinstance(network, Converted) else x
