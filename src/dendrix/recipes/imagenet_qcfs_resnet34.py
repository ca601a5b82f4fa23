"""ImageNet with ResNet-34 and QCFS activations of 16 levels. It needs several GPUs, and was never run here.

Source: Bu et al. (2022), arXiv 2303.04347; github.com/putshua/SNN_conversion_QCFS: 120 passes, rate 0.1, weight decay 5e-4, cut-outs of
random size and place and flips. There colours are varied, too. The published figures cannot be made again from that release, whose
training of several processes does not run; none is quoted here.
"""

from ..models import resnet34
from ..train.image.data import ImageFolderData
from ..train.image.recipe import ImageAugment, ImageBudget, ImageOptim, ImageRecipe


def recipe() -> ImageRecipe:
    """ResNet-34 on a folder of ImageNet with QCFS activations (several GPUs)."""
    return ImageRecipe(
        ImageFolderData(), resnet34(), ImageOptim(), ImageBudget(epochs=120, batch_size=256, precision="bf16"), ImageAugment(shift=0)
    )
