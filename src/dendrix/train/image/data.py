"""The image data of a recipe: frozen descriptions that load the splits."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ...data import FileSplits, ImageSplits, cifar10, image_folder, mnist_images


@dataclass(frozen=True)
class CifarData:
    """CIFAR-10."""

    held_out: int = 5000
    """How many of the last training images are for validation."""
    root: Path | None = None
    """The folder of the published files, or of the JPEG pack; by default the one that DENDRIX_DATA names."""
    side: ClassVar[int] = 32

    def load(self) -> ImageSplits:
        """The three splits."""
        return cifar10(self.root, self.held_out)


@dataclass(frozen=True)
class MnistData:
    """MNIST."""

    held_out: int = 1000
    """How many of the last training images are for validation."""
    root: Path | None = None
    """The folder of the four published files, or of the pack; by default the one that DENDRIX_DATA names."""
    side: ClassVar[int] = 28

    def load(self) -> ImageSplits:
        """The three splits."""
        return mnist_images(self.root, self.held_out)


@dataclass(frozen=True)
class ImageFolderData:
    """Your own images, or ImageNet: the folders train and val, each with one folder for every class."""

    side: int = 224
    """Side of the squares that the network sees, in pixels."""
    held_out: float = 0.02
    """The share of the training images that is for validation."""
    root: Path | None = None
    """The folder; by default the one that DENDRIX_DATA names."""

    def load(self) -> FileSplits:
        """The three splits; images are decoded when they are needed."""
        return image_folder(self.root, self.side, self.held_out)


ImageSource = CifarData | MnistData | ImageFolderData
