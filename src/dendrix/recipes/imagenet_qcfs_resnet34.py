"""ImageNet with ResNet-34 and QCFS activations of 16 levels. It needs several GPUs and has not been run here.

Source: Bu et al. (2022), arXiv 2303.04347; github.com/putshua/SNN_conversion_QCFS: 120 passes, rate 0.1, weight decay 5e-4, cut-outs of
random size and place, and flips. The release also varies colours. Its training with several processes does not run, so the published
figures cannot be reproduced from it and are not quoted here.
"""

from ..models import resnet34
from ..train.image.data import ImageFolderData
from ..train.image.recipe import ImageAugment, ImageBudget, ImageOptim, ImageRecipe


def recipe() -> ImageRecipe:
    """ResNet-34 on a folder of ImageNet with QCFS activations (several GPUs)."""
    return ImageRecipe(
        ImageFolderData(), resnet34(), ImageOptim(), ImageBudget(epochs=120, batch_size=256, precision="bf16"), ImageAugment(shift=0)
    )
