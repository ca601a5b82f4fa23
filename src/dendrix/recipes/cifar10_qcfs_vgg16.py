"""CIFAR-10 with VGG-16 and QCFS activations, in the setting of the released code of arXiv 2303.04347. It needs a GPU.

Source: Bu et al. (2022), arXiv 2303.04347; github.com/putshua/ANN_SNN_QCFS. Its README claims 90.94 % accuracy after 2 steps, 94.01 % after
4 and 95.01 % after 8. The setting: 300 passes, batches of 300, stochastic gradient descent with momentum 0.9, rate 0.1 with cosine decay,
weight decay 5e-4 on all parameters, initial thresholds of 8. The released code also uses AutoAugment and chooses the epoch by test
accuracy; here validation accuracy chooses it.
"""

from ..models import vgg16
from ..train.image.data import CifarData
from ..train.image.recipe import ImageAugment, ImageBudget, ImageOptim, ImageRecipe


def recipe() -> ImageRecipe:
    """VGG-16 on CIFAR-10 with QCFS activations, in the published setting (GPU); the authors claim 95.01 % in 8 steps after conversion."""
    return ImageRecipe(CifarData(), vgg16(), ImageOptim(), ImageBudget(epochs=300, batch_size=300), ImageAugment(cutout=16))
