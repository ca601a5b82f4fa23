"""A spiking network that was converted from an image network: built from its configuration, it can be saved and read again."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ..convert import MaxPool, NeuronKind, clip, convert
from ..core import State, Stateful, expect_fields, expect_one_of
from .vision.parts import ImageConfig
from .vision.resnet import ResNet, ResNetConfig
from .vision.vgg import VGG, VGGConfig

_NETWORKS: dict[str, tuple[type[ImageConfig], type[nn.Module]]] = {"vgg": (VGGConfig, VGG), "resnet": (ResNetConfig, ResNet)}


@dataclass(frozen=True)
class ConvertedConfig:
    """From what a `Converted` was made, and how."""

    ann: str
    """The kind of network that was converted, as checkpoints name it: vgg or resnet."""
    ann_config: dict[str, Any]
    """The configuration of that network."""
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

    def __post_init__(self) -> None:
        expect_one_of(self.ann, _NETWORKS, "ann")
        expect_one_of(self.neuron, get_args(NeuronKind), "neuron")
        expect_one_of(self.max_pool, get_args(MaxPool), "max_pool")
        expect_one_of(self.ceilings, ("trained", "layer", "channel"), "ceilings")
        expect_fields(self, steps="[1, inf)", height="[1, inf)", width="[1, inf)")
        # A wrong configuration is found here, not when it is built; and JSON's lists become what they were.
        object.__setattr__(self, "ann_config", asdict(self.network()))

    def network(self) -> ImageConfig:
        """The configuration of the network that was converted."""
        return _NETWORKS[self.ann][0](**self.ann_config)

    @property
    def channels(self) -> int:
        """C of the images."""
        return self.network().channels

    @property
    def outputs(self) -> int:
        """Classes, K."""
        return self.network().outputs


class Converted(Stateful):
    """currents [B, T, ...] -> outputs of every step [B, T, K], not accumulated; `encode` turns images into currents.

    Args:
        config: what to build.
        ann: the trained network, after `calibrate` unless its thresholds are trained; None builds one whose weights are still to be loaded,
            and which has no audit.
    """

    def __init__(self, config: ConvertedConfig, ann: nn.Module | None = None):
        super().__init__()
        example = torch.zeros(2, config.network().channels, config.height, config.width)
        trained = ann is not None
        if ann is None:
            ann = _NETWORKS[config.ann][1](config.network()).eval()
            if config.ceilings != "trained":
                ann = clip(ann, example, per_channel=config.ceilings == "channel")
        conversion = convert(ann, example, neuron=config.neuron, max_pool=config.max_pool)
        self.config, self.network = config, conversion.network
        self.audit = conversion.audit if trained else None

    def encode(self, images: Tensor, steps: int | None = None) -> Tensor:
        """As `SpikingNetwork.encode`, for the steps of the configuration or others."""
        return self.network.encode(images, self.config.steps if steps is None else steps)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        outputs: tuple[Tensor, State] = self.network(x, state, valid)
        return outputs
