"""Task, data and training time of each file of recipes. Imports no other module of dendrix."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Requirements:
    """What the recipes of one file need.

    Args:
        task: kind of data, by which `dendrix list` groups the recipes.
        data: name of the data set.
        files: patterns; one file must match one of them in the data folder or a folder of it. None: the data come with a package.
        minutes: duration of the training of the main recipe on one CPU core (shared AMD EPYC), measured; None: not measured.
        fetch: name for `dendrix fetch`, if it downloads the data.
    """

    task: str
    data: str
    files: tuple[str, ...] = ()
    minutes: float | None = None
    fetch: str = ""

    def present(self, root: str | None) -> bool:
        """Return whether the data are found in the folder `root`, or need no folder."""
        if not self.files:
            return True
        if not root or not (base := Path(root).expanduser()).is_dir():
            return False
        return any(next(base.glob(f"{folder}{pattern}"), None) for pattern in self.files for folder in ("", "*/"))


SPEECH, EVENTS, IMAGES, TEXT, CONTINUAL, OTHER = "speech", "events", "images", "text", "continual learning", "other packages"
_MNIST = ("mnist_small.npz", "train-images*")
_CIFAR = ("cifar10_train.npz", "data_batch_1*")
_NOVELS = ("novels.tar.xz",)
_ENWIK8 = ("enwik8", "enwik8_prefix4M.tar.xz")
REQUIREMENTS = {
    "digits-delays": Requirements(EVENTS, "digits of scikit-learn", minutes=0.5),
    "fsdd-delays": Requirements(SPEECH, "Free Spoken Digit Dataset", ("fsdd.npz", "0_*_0.wav"), 9),
    "commands-delays": Requirements(SPEECH, "Arabic Speech Commands", ("arabic_commands40.npz",), 64),
    "gsc-delays": Requirements(SPEECH, "Google Speech Commands", ("validation_list.txt",), fetch="speech-commands"),
    "shd-delays": Requirements(EVENTS, "Spiking Heidelberg Digits", ("shd_train.h5",), fetch="shd"),
    "ssc-delays": Requirements(EVENTS, "Spiking Speech Commands", ("ssc_train.h5",), fetch="ssc"),
    "cifar10-qcfs-vgg-small": Requirements(IMAGES, "CIFAR-10", _CIFAR, 20),
    "cifar10-qcfs-vgg16": Requirements(IMAGES, "CIFAR-10", _CIFAR),
    "cifar10-qcfs-resnet18": Requirements(IMAGES, "CIFAR-10", _CIFAR),
    "imagenet-qcfs-resnet34": Requirements(IMAGES, "ImageNet", ("train/n01440764",)),
    "mnist-qcfs": Requirements(IMAGES, "MNIST", _MNIST, 1, "mnist"),
    "permuted-mnist": Requirements(CONTINUAL, "MNIST", _MNIST, fetch="mnist"),
    "spikegpt-small": Requirements(TEXT, "novels", _NOVELS, 65),
    "spikegpt-novels": Requirements(TEXT, "novels", _NOVELS, 100),
    "spikegpt-46m": Requirements(TEXT, "enwik8", _ENWIK8),
    "spikegpt-216m": Requirements(TEXT, "WikiText-103", ("wikitext103.tar.xz", "wiki.train.tokens")),
    "spikegpt-classifier": Requirements(TEXT, "sentences of SST-2", ("nlu.tar.xz",), 1),
}
"""Requirements by file of recipes."""
