"""Whole networks, each built from one frozen configuration."""

from .converted import Converted as Converted
from .converted import ConvertedConfig as ConvertedConfig
from .decision import Decision as Decision
from .delay_net import DelayNet as DelayNet
from .delay_net import DelayNetConfig as DelayNetConfig
from .delay_net import delrec_commands as delrec_commands
from .delay_net import published_commands as published_commands
from .delay_net import published_shd as published_shd
from .dendritic_net import DendriticNet as DendriticNet
from .dendritic_net import DendriticNetConfig as DendriticNetConfig
from .spikegpt.network import SpikeGPT as SpikeGPT
from .spikegpt.network import SpikeGPTConfig as SpikeGPTConfig
from .vision.parts import ImageConfig as ImageConfig
from .vision.resnet import ResNet as ResNet
from .vision.resnet import ResNetConfig as ResNetConfig
from .vision.resnet import resnet18 as resnet18
from .vision.resnet import resnet20 as resnet20
from .vision.resnet import resnet34 as resnet34
from .vision.vgg import VGG as VGG
from .vision.vgg import VGGConfig as VGGConfig
from .vision.vgg import vgg16 as vgg16

NETWORKS: dict[str, type] = {kind.__name__: kind for kind in (Converted, DelayNet, DendriticNet, ResNet, SpikeGPT, VGG)}
"""Networks by the name of their class."""

MODELS = {
    "delay_net": (DelayNetConfig, DelayNet),
    "dendritic_net": (DendriticNetConfig, DendriticNet),
    "vgg": (VGGConfig, VGG),
    "resnet": (ResNetConfig, ResNet),
    "converted": (ConvertedConfig, Converted),
}
"""Configuration and network by the name that a checkpoint carries."""
