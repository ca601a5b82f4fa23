"""Permuted MNIST: ten tasks, one after another, in one network. What do k winners and active dendrites add?"""

from dataclasses import replace

from ..models import DendriticNetConfig
from ..train import ContinualRecipe


def recipe() -> ContinualRecipe:
    """Ten tasks of permuted MNIST, active dendrites and k winners; for the subset of 10,000 images."""
    return ContinualRecipe(DendriticNetConfig(), epochs=5, held_out=1000)


def kwinners() -> ContinualRecipe:
    """The same without dendrites."""
    return replace(recipe(), model=DendriticNetConfig(segments=0))


def plain() -> ContinualRecipe:
    """The same as a dense network of rectified units, without dendrites and k winners."""
    return replace(recipe(), model=DendriticNetConfig(segments=0, active=None, weight_density=1.0))


def published() -> ContinualRecipe:
    """The published setting for all 60,000 images."""
    return ContinualRecipe(DendriticNetConfig(), epochs=3, batch_size=256, lr=5e-4)
