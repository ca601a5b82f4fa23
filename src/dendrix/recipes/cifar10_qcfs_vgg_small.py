"""CIFAR-10 with a VGG of 8.7 million multiply-adds per image, which one core trains in about twenty minutes.

The initial thresholds are 2. With the published 8, a training this short needs its first epochs to lower them: after one epoch of two,
validation accuracy is 47 % with 8 and 56 % with 2.

The published networks are in `cifar10-qcfs-vgg16` and `cifar10-qcfs-resnet18`.
"""

from ..models import VGGConfig
from ..train.image.data import CifarData
from ..train.image.recipe import ImageBudget, ImageOptim, ImageRecipe
from .variants import with_model


def recipe() -> ImageRecipe:
    """A small VGG on CIFAR-10 with QCFS activations, to be converted to spikes."""
    return ImageRecipe(CifarData(), VGGConfig(threshold=2.0), ImageOptim(warm_up=0.1), ImageBudget(epochs=24))


def relu() -> ImageRecipe:
    """The same with plain ReLU, for conversion by calibration alone."""
    return with_model(recipe(), activation="relu")
