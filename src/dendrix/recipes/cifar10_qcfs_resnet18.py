"""CIFAR-10 with ResNet-18 and QCFS activations, in the setting of the released code of arXiv 2303.04347. It needs a GPU.

Source: Bu et al. (2022), arXiv 2303.04347; github.com/putshua/ANN_SNN_QCFS: 300 passes, batches of 300, stochastic gradient descent with
momentum 0.9, rate 0.1 along a cosine, weight decay 5e-4 on all parameters, thresholds from 8. There AutoAugment varies the images, too, and
the epoch is chosen by test accuracy; here it is chosen by validation. No figure for this network is quoted, for none was verified.
"""

from dataclasses import replace

from ..models import resnet18, resnet20
from ..train.image.data import CifarData
from ..train.image.recipe import ImageAugment, ImageBudget, ImageOptim, ImageRecipe


def recipe() -> ImageRecipe:
    """ResNet-18 on CIFAR-10 with QCFS activations, in the published setting (GPU)."""
    return ImageRecipe(CifarData(), resnet18(), ImageOptim(), ImageBudget(epochs=300, batch_size=300), ImageAugment(cutout=16))


def resnet_20() -> ImageRecipe:
    """The same with ResNet-20, fourteen times cheaper."""
    return replace(recipe(), model=resnet20())
