"""Image networks that can be converted to spiking networks."""

from .parts import ImageConfig
from .resnet import ResNet, ResNetConfig, resnet18, resnet20, resnet34
from .vgg import VGG, VGGConfig, vgg16

__all__ = [
    "VGG",
    "ImageConfig",
    "ResNet",
    "ResNetConfig",
    "VGGConfig",
    "resnet18",
    "resnet20",
    "resnet34",
    "vgg16",
]
