"""Spiking networks converted from image networks, created from a configuration so that they can be saved and loaded."""

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
    """Configuration of a `Converted`: the original network and the settings of its conversion.

    Raises:
        InputError: a field is out of range.
    """

    ann: str
    """Type of the original network: "vgg", "resnet", or "described" for any other."""
    ann_config: dict[str, Any]
    """Configuration of the original network, or its description from `models.description`."""
    steps: int = 8
    """Number of steps for which an image is presented."""
    neuron: NeuronKind = "signed"
    """Type of neurons, as in `convert`."""
    max_pool: MaxPool = "refuse"
    """Treatment of maximum pooling, as in `convert`."""
    ceilings: Literal["trained", "layer", "channel"] = "trained"
    """Source of the thresholds: "trained" (QCFS), or ceilings that `calibrate` measured per "layer" or "channel" of a ReLU network."""
    height: int = 32
    width: int = 32
    """Size of the images, in pixels."""
    channels: int = 3
    """Number of image channels, C; taken from the configuration of a VGG or ResNet."""
    outputs: int = 10
    """Number of classes, K; taken from the configuration of a VGG or ResNet."""

    def __post_init__(self) -> None:
        expect_one_of(self.ann, (*_NETWORKS, _DESCRIBED), "ann")
        expect_one_of(self.neuron, get_args(NeuronKind), "neuron")
        expect_one_of(self.max_pool, get_args(MaxPool), "max_pool")
        expect_one_of(self.ceilings, ("trained", "layer", "channel"), "ceilings")
        counts = dict.fromkeys(("steps", "height", "width", "channels", "outputs"), "[1, inf)")
        expect_fields(self, whole=counts, **counts)
        if self.ann != _DESCRIBED:
            # Checks the configuration early, and converts lists from JSON to tuples.
            network = _NETWORKS[self.ann][0](**self.ann_config)
            object.__setattr__(self, "ann_config", asdict(network))
            object.__setattr__(self, "channels", network.channels)
            object.__setattr__(self, "outputs", network.outputs)

    @classmethod
    def of(cls, ann: nn.Module, **settings: Any) -> "ConvertedConfig":
        """Return the configuration for converting a network.

        Args:
            ann: original network.
            **settings: other fields.

        Raises:
            InputTypeError: a part of the network cannot be described.
        """
        for name, (kind, network) in _NETWORKS.items():
            if type(ann) is network and isinstance(config := getattr(ann, "config", None), kind):
                return cls(ann=name, ann_config=asdict(config), **settings)
        return cls(ann=_DESCRIBED, ann_config=describe(ann), **settings)

    def untrained(self, trust: Trust = None) -> nn.Module:
        """Create the original network with initial weights.

        Args:
            trust: package or file of classes outside dendrix and torch.
        """
        if self.ann == _DESCRIBED:
            network: nn.Module = build(self.ann_config, trust)
            return network
        kind, network_type = _NETWORKS[self.ann]
        return network_type(kind(**self.ann_config))


class StillImageNetwork(Stateful):
    """Base class of spiking networks for still images: `encode` turns images into the currents of the first neurons at every step."""

    @property
    def presented(self) -> int:
        """Number of steps for which an image is presented."""
        raise NotImplementedError(f"{type(self).__name__} is abstract. Define presented in the subclass.")

    def encode(self, images: Tensor, steps: int | None = None) -> Tensor:
        """Compute the currents of images [B, C, H, W], 0 to 1: [B, T, ...].

        Args:
            images: still images.
            steps: T; None for the number of steps of the network.
        """
        raise NotImplementedError(f"{type(self).__name__} is abstract. Define encode(images, steps) in the subclass.")


class Converted(StillImageNetwork):
    """Converted network: currents [B, T, ...] -> outputs of every step [B, T, K], not accumulated; `encode` computes the currents.

    Args:
        config: configuration of the network.
        ann: trained original network, after `calibrate` unless its thresholds are trained; None creates a network with initial weights and
            without an audit, for loading weights.
        trust: package or file of classes of the original network outside dendrix and torch.
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

    @property
    def presented(self) -> int:
        return self.config.steps

    def encode(self, images: Tensor, steps: int | None = None) -> Tensor:
        """Compute the currents as `SpikingNetwork.encode`; by default for the number of steps of the configuration."""
        return self.network.encode(images, self.config.steps if steps is None else steps)

    def forward(self, x: Tensor, state: State = None, valid: Tensor | None = None) -> tuple[Tensor, State]:
        outputs: tuple[Tensor, State] = self.network(x, state, valid)
        return outputs


def network_input(network: nn.Module, x: Tensor) -> Tensor:
    """Return the input of a network: for one of still images, images are converted to currents."""
    return network.encode(x) if isinstance(network, StillImageNetwork) else x
