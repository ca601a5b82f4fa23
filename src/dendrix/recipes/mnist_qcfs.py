"""MNIST with a tiny VGG and QCFS activations: minutes on one core, to try conversion with."""

from ..models import VGGConfig
from ..train import ImageAugment, ImageBudget, ImageOptim, ImageRecipe, MnistData


def recipe() -> ImageRecipe:
    """A tiny VGG on MNIST with QCFS activations, to be converted to spikes."""
    return ImageRecipe(
        MnistData(),
        VGGConfig(threshold=2.0, stages=((8,), (16,), (32,)), mean=(0.131,), std=(0.308,)),
        ImageOptim(warm_up=0.1),
        ImageBudget(epochs=5),
        ImageAugment(shift=2, flip=False),
    )
