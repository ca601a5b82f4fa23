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
from .image_parts import ImageConfig as ImageConfig
from .resnet import ResNet as ResNet
from .resnet import ResNetConfig as ResNetConfig
from .resnet import resnet18 as resnet18
from .resnet import resnet20 as resnet20
from .resnet import resnet34 as resnet34
from .spikegpt import SpikeGPT as SpikeGPT
from .spikegpt import SpikeGPTSpec as SpikeGPTSpec
from .vgg import VGG as VGG
from .vgg import VGGConfig as VGGConfig
from .vgg import vgg16 as vgg16

MODELS = {
    "delay_net": (DelayNetConfig, DelayNet),
    "dendritic_net": (DendriticNetConfig, DendriticNet),
    "vgg": (VGGConfig, VGG),
    "resnet": (ResNetConfig, ResNet),
    "converted": (ConvertedConfig, Converted),
}
"""Configuration and network by the name that a checkpoint carries."""
