"""MNIST with a tiny VGG and QCFS activations, a quick example for conversion: about a minute on one core."""

from ..models import VGGConfig
from ..train.image.data import MnistData
from ..train.image.recipe import ImageAugment, ImageBudget, ImageOptim, ImageRecipe


def recipe() -> ImageRecipe:
    """A tiny VGG on MNIST with QCFS activations, to be converted to spikes."""
    return ImageRecipe(
        MnistData(),
        VGGConfig(threshold=2.0, stages=((16,), (32,), (64,)), mean=(0.131,), std=(0.308,)),
        ImageOptim(warm_up=0.1),
        ImageBudget(epochs=15, batch_size=64),
        ImageAugment(shift=2, flip=False),
    )
