"""CIFAR-10 with ResNet-18 and QCFS activations, in the setting of the released code of arXiv 2303.04347. It needs a GPU.

Source: Bu et al. (2022), arXiv 2303.04347; github.com/putshua/ANN_SNN_QCFS: 300 passes, batches of 300, stochastic gradient descent with
momentum 0.9, rate 0.1 with cosine decay, weight decay 5e-4 on all parameters, initial thresholds of 8. The released code also uses
AutoAugment and chooses the epoch by test accuracy; here validation accuracy chooses it. No figure for this network was verified, so none is
quoted.
"""

from dataclasses import replace

from ..models import resnet18, resnet20
from ..train.image.data import CifarData
from ..train.image.recipe import ImageAugment, ImageBudget, ImageOptim, ImageRecipe


def recipe() -> ImageRecipe:
    """ResNet-18 on CIFAR-10 with QCFS activations, in the published setting (GPU)."""
    return ImageRecipe(CifarData(), resnet18(), ImageOptim(), ImageBudget(epochs=300, batch_size=300), ImageAugment(cutout=16))


def resnet_20() -> ImageRecipe:
    """The same with ResNet-20, with a fourteenth of the operations."""
    return replace(recipe(), model=resnet20())
