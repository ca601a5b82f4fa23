"""Networks, each created from a frozen configuration."""

from .converted import Converted, ConvertedConfig, StillImageNetwork
from .decision import Decision
from .delay_net import DelayNet, DelayNetConfig, delrec_commands, published_commands, published_shd
from .dendritic_net import DendriticNet, DendriticNetConfig
from .gpt2 import GPT2, GPT2Config
from .lstm import LSTM, LSTMConfig
from .prompted import PromptedClassifier
from .spikegpt import SpikeGPT, SpikeGPTConfig
from .vision import VGG, ImageConfig, ResNet, ResNetConfig, VGGConfig, resnet18, resnet20, resnet34, vgg16

__all__ = [
    "GPT2",
    "LSTM",
    "MODELS",
    "NETWORKS",
    "VGG",
    "Converted",
    "ConvertedConfig",
    "Decision",
    "DelayNet",
    "DelayNetConfig",
    "DendriticNet",
    "DendriticNetConfig",
    "GPT2Config",
    "ImageConfig",
    "LSTMConfig",
    "PromptedClassifier",
    "ResNet",
    "ResNetConfig",
    "SpikeGPT",
    "SpikeGPTConfig",
    "StillImageNetwork",
    "VGGConfig",
    "delrec_commands",
    "published_commands",
    "published_shd",
    "resnet18",
    "resnet20",
    "resnet34",
    "vgg16",
]

NETWORKS: dict[str, type] = {kind.__name__: kind for kind in (Converted, DelayNet, DendriticNet, ResNet, SpikeGPT, VGG)}
"""Networks by the name of their class."""

MODELS = {
    "delay_net": (DelayNetConfig, DelayNet),
    "dendritic_net": (DendriticNetConfig, DendriticNet),
    "vgg": (VGGConfig, VGG),
    "resnet": (ResNetConfig, ResNet),
    "converted": (ConvertedConfig, Converted),
}
"""Configuration and network by the name stored in a checkpoint."""
