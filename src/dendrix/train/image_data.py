"""The image data of a recipe: frozen descriptions that load the splits."""

from dataclasses import dataclass
from pathlib import Path

from ..data import ImageSplits, cifar10, mnist_images


@dataclass(frozen=True)
class CifarData:
    """CIFAR-10."""

    held_out: int = 5000
    """How many of the last training images are for validation."""
    root: Path | None = None
    """The folder of the published files, or of the JPEG pack; by default the one that DENDRIX_DATA names."""

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

    def load(self) -> ImageSplits:
        """The three splits."""
        return mnist_images(self.root, self.held_out)


ImageSource = CifarData | MnistData
