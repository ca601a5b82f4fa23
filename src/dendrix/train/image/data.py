"""Sources of images: frozen descriptions that load the splits and can be restored from a run record."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ...data import ImageDataset, ImageFiles, Splits, cifar10, image_folder, mnist_images
from ...data.arrays import held_out
from ...data.images.folder import find_images
from ...data.pack import data_root
from ..recipe import DataSource


@dataclass(frozen=True)
class CifarData(DataSource):
    """CIFAR-10."""

    name = "cifar10"

    held_out: int = 5000
    """Number of images at the end of the training images that are held out for validation."""
    root: Path | None = None
    """Folder of the published files, or of the JPEG pack; by default the one that DENDRIX_DATA names."""
    side: ClassVar[int] = 32

    def load(self) -> Splits[ImageDataset]:
        """Load the three splits."""
        return cifar10(self.root, self.held_out)


@dataclass(frozen=True)
class MnistData(DataSource):
    """MNIST."""

    name = "mnist"

    held_out: int = 1000
    """Number of images at the end of the training images that are held out for validation."""
    root: Path | None = None
    """Folder of the four published files, or of the pack; by default the one that DENDRIX_DATA names."""
    side: ClassVar[int] = 28

    def load(self) -> Splits[ImageDataset]:
        """Load the three splits."""
        return mnist_images(self.root, self.held_out)


@dataclass(frozen=True)
class ImageFolderData(DataSource):
    """Your own images, or ImageNet: the folders train and val, each with one sub-folder per class."""

    name = "image-folder"

    side: int = 224
    """Side of the square images, in pixels."""
    held_out: float = 0.02
    """Share of the training images to hold out for validation."""
    root: Path | None = None
    """Folder of the data; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[ImageFiles]:
        """Load the three splits; images are decoded when they are needed."""
        return image_folder(self.root, self.side, self.held_out)


@dataclass(frozen=True)
class PictureFolderData(DataSource):
    """A folder with one sub-folder of images for each class, split at random and stratified by class."""

    name = "picture-folder"

    side: int = 224
    """Side of the square images, in pixels."""
    held_out: float = 0.2
    """Share of every class to hold out for validation and testing."""
    split_seed: int = 0
    """Seed of the choice of held-out images."""
    root: Path | None = None
    """Folder of the data; by default the one that DENDRIX_DATA names."""

    def load(self) -> Splits[ImageFiles]:
        """Load the splits; images are decoded when they are needed. The test split is the validation split."""
        base = data_root(self.root, "Picture folder", "Make a folder with one sub-folder of images for each class")
        train, valid = held_out(find_images(base, self.side), self.held_out, self.split_seed)
        return Splits(train, valid, valid)
