"""Permuted MNIST, ten tasks learned one after another: the effect of k winners and active dendrites.

`recipe` and its variants use the first 10,000 training images on one core: a quarter of the published width, and five passes instead of
three over a sixth of the images. Each variant has the learning rate with the best validation accuracy over all ten tasks; half and twice
that rate were worse. `published` is the setting of the paper, for all images. A new state of Adam for every task is our choice.

Source: Iyer et al. (2021), bioRxiv 2021.10.25.465651.
"""

from dataclasses import replace

from ..models import DendriticNetConfig
from ..train.continual.data import PermutedMnistData
from ..train.continual.recipe import ContinualRecipe


def recipe() -> ContinualRecipe:
    """Ten tasks of permuted MNIST, one after another: active dendrites and k winners."""
    return ContinualRecipe(DendriticNetConfig(hidden=(512, 512)), epochs=5, lr=1e-3, data=PermutedMnistData(held_out=1000))


def kwinners() -> ContinualRecipe:
    """The same without dendrites."""
    return replace(recipe(), model=replace(recipe().model, segments=0), lr=5e-4)


def plain() -> ContinualRecipe:
    """The same with dense weights and rectified units, without dendrites and k winners."""
    return replace(recipe(), model=replace(recipe().model, segments=0, active=None, weight_density=1.0), lr=6e-5)


def published() -> ContinualRecipe:
    """The published setting, for all 60,000 images."""
    return ContinualRecipe(DendriticNetConfig(), epochs=3, batch_size=256, lr=5e-4)
