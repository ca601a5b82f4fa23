"""From the run of an image network to a run of its spiking form: what `dendrix convert` does; the command line only parses and prints."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from ..convert import MaxPool, NeuronKind, calibrate, compare
from ..core import expect_fields
from ..core.files import read_json, write_json
from ..data import FileSplits, ImageBatch, ImageDataset, ImageFiles, ImageSplits, take_batch
from ..errors import InputError
from ..exits import fingerprint
from ..models import VGG, Converted, ConvertedConfig, Decision, ResNet
from ..plot import save_figure
from ..pretrained import find_run
from ..run_folder.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from ..run_folder.record import RUN, environment, new_folder
from ..train.metrics import score_images
from .opened import data_of
from .report.conversion_figures import draw_accuracy, draw_layers

_AT_ONCE = 64
_ROWS = 256
"""Images times steps in one call: more rows of a convolution leave the cache."""


@dataclass(frozen=True)
class ConvertRun:
    """How to convert the network of a run."""

    run: Path
    """The folder of an image run."""
    steps: int = 8
    """For how many steps an image is shown."""
    neuron: NeuronKind = "signed"
    """What stands for an activation, as in `convert`."""
    max_pool: MaxPool = "refuse"
    """What becomes of maximum pooling, as in `convert`."""
    calibrate: Literal["layer", "channel"] | None = None
    """Measure a threshold for every layer or channel of a ReLU network; None takes those of QCFS."""
    quantile: float = 0.999
    """Share of activations below a measured threshold."""
    images: int = 1000
    """How many validation images to compare on, and training images to measure on."""
    root: Path | None = None
    """The data folder, if it has moved."""

    def __post_init__(self) -> None:
        expect_fields(self, steps="[1, inf)", images="[1, inf)", quantile="(0, 1]")


def convert_run(asked: ConvertRun, target: Path) -> dict[str, Any]:
    """Convert, compare with the original on validation images, and write a run folder, whole or not at all; returns its record.

    Args:
        asked: what to convert and how.
        target: the folder to make.
    Raises:
        FileExistsError: it is already there.
        OSError: the run or its data are not there, or may not be read.
        ValueError: the run has no image network, or it cannot be converted so.
    """
    with new_folder(target) as folder:
        source = find_run(asked.run)
        checkpoint = load_checkpoint(source)
        _expect_convertible(asked, checkpoint.model)
        splits: Any = data_of(source, asked.root).load()
        model, reference = _converted(asked, checkpoint.model, splits)
        sample = _spread(splits.valid, asked.images)
        before = score_images(checkpoint.model, _batches(sample)).accuracy
        comparison = compare(reference, model.network, sample.x, asked.steps, sample.y, batch_size=max(1, _ROWS // asked.steps))
        write_checkpoint(folder, Checkpoint(model, checkpoint.labels, decision=Decision("mean")))
        record = {
            "name": f"{asked.run.name}, converted",
            "recipe": read_json(source / RUN)["recipe"],
            "conversion": {
                **_described(asked, model, fingerprint(checkpoint.model)),
                "compared_on": {"split": "valid", "images": len(sample.y)},
                "original_accuracy": before,
                **comparison.to_dict(),
            },
            "environment": environment(torch.device("cpu")),
        }
        write_json(folder / RUN, record)
        return record


def draw_conversion(folder: Path) -> None:
    """Draw accuracy.png and layers.png into the folder of a converted run.

    Raises:
        ImportError: matplotlib is missing.
    """
    found = read_json(folder / RUN)["conversion"]
    save_figure(draw_accuracy(found["accuracy"], found["original_accuracy"]), folder / "accuracy.png")
    save_figure(draw_layers(found["layers"]), folder / "layers.png")


def _expect_convertible(asked: ConvertRun, network: Any) -> None:
    """What a user is likely to get wrong, in terms of the command."""
    if not isinstance(network, VGG | ResNet):
        found = "one that is already converted" if isinstance(network, Converted) else type(network).__name__
        raise InputError(
            f"{asked.run}: expected the run of an image network, VGG or ResNet, got {found}. "
            "Train one: dendrix train cifar10-qcfs-vgg-small."
        )
    if network.config.activation == "relu" and asked.calibrate is None:
        raise InputError(
            "calibrate: expected layer or channel for a network of ReLUs, which has no thresholds, got none. Add --calibrate channel."
        )
    if network.config.activation == "qcfs" and asked.calibrate is not None:
        raise InputError(f"calibrate: expected none for a network that was trained with thresholds, got {asked.calibrate}. Leave it out.")


def _converted(asked: ConvertRun, network: Any, splits: ImageSplits | FileSplits) -> tuple[Converted, nn.Module]:
    """The spiking network, and the one to compare it with: the original, or its copy with clipped ReLUs."""
    height, width = splits.valid.take(torch.tensor([0])).shape[2:]
    config = ConvertedConfig(
        ann="vgg" if isinstance(network, VGG) else "resnet",
        ann_config=asdict(network.config),
        steps=asked.steps,
        neuron=asked.neuron,
        max_pool=asked.max_pool,
        ceilings=asked.calibrate or "trained",
        height=height,
        width=width,
    )
    reference: nn.Module = network
    if asked.calibrate is not None:
        batches = _batches(_spread(splits.train, asked.images))
        reference = calibrate(network, batches, asked.quantile, per_channel=asked.calibrate == "channel")
    return Converted(config, reference).eval(), reference


def _spread(data: ImageDataset | ImageFiles, count: int) -> ImageBatch:
    """So many images, evenly spread over a split, which may be sorted by class."""
    return take_batch(data, torch.linspace(0, len(data) - 1, min(count, len(data))).round().long())


def _batches(images: ImageBatch) -> Iterator[ImageBatch]:
    return (ImageBatch(x, y) for x, y in zip(torch.split(images.x, _AT_ONCE), torch.split(images.y, _AT_ONCE), strict=True))


def _described(asked: ConvertRun, model: Converted, of: str) -> dict[str, Any]:
    """What was done, and to the network of which fingerprint, as JSON holds it."""
    return {
        "run": str(asked.run),
        "model": of,
        "steps": asked.steps,
        "neuron": asked.neuron,
        "max_pool": asked.max_pool,
        "calibrate": asked.calibrate,
        "quantile": None if asked.calibrate is None else asked.quantile,
        "audit": None if model.audit is None else model.audit.to_dict()["entries"],
    }
