"""Conversion of an image network, from a run or from your own Python file, to a run of a spiking network."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from ..convert import MaxPool, NeuronKind, calibrate, compare
from ..core import expect_fields, weights_trouble
from ..core.files import read_json, write_json
from ..core.foreign import foreign
from ..core.trust import Trust, import_file, is_file
from ..data import Batch, take_batch
from ..data.base import evenly
from ..errors import InputError
from ..exits import fingerprint
from ..layers import LSQ, QCFS
from ..models import Converted, ConvertedConfig, Decision, StillImageNetwork
from ..models.decision import takes_state
from ..plot import save_figure
from ..pretrained import find_run
from ..run_folder.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from ..run_folder.record import RUN, RunRecord, environment, new_folder
from ..train.image.data import PictureFolderData
from ..train.metrics import score
from .opened import source_of
from .report.conversion_figures import draw_accuracy, draw_layers
from .viewing import knows_images

_AT_ONCE = 64
_LONGEST = 65_536
"""Steps, and pixels of a side, beyond which a number is a slip of the keyboard."""
_ROWS = 256
"""Largest number of images times steps in one call; more do not fit the cache."""


@dataclass(frozen=True)
class ConvertRun:
    """Options of a conversion."""

    run: Path
    """Folder of an image run, or FILE.py:NAME, your function that returns the network, with `weights` and `images`."""
    steps: int = 8
    """T, the number of time steps for each image."""
    neuron: NeuronKind = "signed"
    """Neurons that replace an activation, as in `convert`."""
    max_pool: MaxPool = "refuse"
    """Treatment of maximum pooling, as in `convert`."""
    calibrate: Literal["layer", "channel"] | None = None
    """Measure a threshold for every layer or channel of a ReLU network; None uses the trained thresholds of QCFS."""
    quantile: float = 0.999
    """Share of activations below a measured threshold."""
    inputs: int = 1000
    """Number of validation images for the comparison, and of training images for calibration."""
    root: Path | None = None
    """Folder of the data, if it has moved."""
    weights: Path | None = None
    """The state_dict of your own network, a safetensors file."""
    images: Path | None = None
    """For your own network, a folder with one sub-folder of images for each class, in the order of its outputs."""
    side: int = 32
    """Side of these images, in pixels."""
    trust: Trust = None
    """Package or Python file of classes that are not part of dendrix or torch."""

    def __post_init__(self) -> None:
        counts = {"steps": f"[1, {_LONGEST}]", "inputs": "[1, inf)", "side": f"[1, {_LONGEST}]"}
        expect_fields(self, whole=counts, **counts, quantile="(0, 1]")


@dataclass(frozen=True)
class _Original:
    """A network to convert, and its data."""

    name: str
    network: nn.Module
    labels: tuple[str, ...]
    splits: Any
    recipe: dict[str, Any]
    """Recipe for the record, which holds the source of the data."""
    description: dict[str, Any] | None = None
    """Description that builds the network again, if it comes from the user's file."""


def convert_run(asked: ConvertRun, target: Path) -> RunRecord:
    """Convert a network, compare it with the original on validation images, write a run folder and return its record.

    Args:
        asked: options of the conversion.
        target: folder to create.
    Raises:
        FileExistsError: `target` exists.
        OSError: the run, the file or the data are missing or not readable.
        InputError: the network is not an image network, or cannot be converted with these options.
    """
    with new_folder(target) as folder:
        original = _of_file(asked) if ".py" in asked.run.name else _of_run(asked)
        _expect_thresholds(asked, original.network)
        model, reference = _converted(asked, original)
        sample = take_batch(original.splits.valid, evenly(len(original.splits.valid), asked.inputs))
        before = score(original.network, _batches(sample)).accuracy
        comparison = compare(reference, model.network, sample.x, asked.steps, sample.y, batch_size=max(1, _ROWS // asked.steps))
        shape = tuple(sample.x.shape[1:])
        write_checkpoint(folder, Checkpoint(model, original.labels, decision=Decision("mean"), shape=shape))
        record: RunRecord = {
            "name": f"{original.name}, converted",
            "recipe": original.recipe,
            "conversion": {
                **_described(asked, model, fingerprint(original.network)),
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


def _of_run(asked: ConvertRun) -> _Original:
    """Return the network of a run and the data that it was trained on."""
    if asked.weights is not None or (asked.images is not None and not find_run(asked.run).is_dir()):
        raise InputError(f"run: expected FILE.py:NAME with --weights, got {asked.run}. Leave --weights out for a run.")
    folder = find_run(asked.run)
    checkpoint = load_checkpoint(folder, trust=asked.trust)
    network: nn.Module = checkpoint.model
    if isinstance(network, StillImageNetwork) or takes_state(network) or not knows_images(checkpoint):
        found = "one that is already converted" if isinstance(network, StillImageNetwork) else type(network).__name__
        raise InputError(
            f"{asked.run}: expected the run of an image network, got {found}. Train one: dendrix train cifar10-qcfs-vgg-small."
        )
    recipe = read_json(folder / RUN)["recipe"]
    if asked.images is not None:
        source = PictureFolderData(asked.side if checkpoint.shape is None else checkpoint.shape[-1], root=asked.images)
        recipe = {**recipe, "data": source.to_dict()}
        return _Original(asked.run.name, network, checkpoint.labels, source.load(), recipe)
    return _Original(asked.run.name, network, checkpoint.labels, source_of(folder, asked.root, asked.trust).load(), recipe)


def _of_file(asked: ConvertRun) -> _Original:
    """Return the network that a function in the user's file builds, and its data."""
    file, _, name = str(asked.run).partition(":")
    if not is_file(file) or not name:
        raise InputError(f"run: expected FILE.py:NAME, the function that returns the network, got {asked.run}. Name the function.")
    if asked.weights is None or asked.images is None:
        raise InputError(f"{asked.run}: expected --weights and --images for a network from a file, got one or none of them. Give both.")
    build = getattr(import_file(Path(file)), name, None)
    if not callable(build):
        raise InputError(f"{file}: expected a function '{name}' that returns the network, found none. Check its name.")
    with foreign(f"{asked.run}: expected a function that returns the network", "Call it yourself to see where."):
        network = build()
    if not isinstance(network, nn.Module):
        raise InputError(f"{asked.run}: expected a torch.nn.Module, got {type(network).__name__}. Return the network.")
    try:
        weights = safetensors.torch.load(asked.weights.read_bytes())
        if trouble := weights_trouble(weights):
            raise InputError(f"{trouble}.")
        network.load_state_dict(weights)
    except (SafetensorError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{asked.weights}: expected the weights of {asked.run} as safetensors, but {reason}") from error
    source = PictureFolderData(asked.side, root=asked.images)
    splits = source.load()
    description = {"class": f"{Path(file).stem}:{name}", "arguments": {}}
    return _Original(str(asked.run), network.eval(), splits.train.labels, splits, {"data": source.to_dict()}, description)


def _expect_thresholds(asked: ConvertRun, network: nn.Module) -> None:
    """Refuse calibration of trained thresholds, and plain ReLUs without calibration, in terms of the command's options."""
    trained = any(isinstance(part, QCFS | LSQ) for part in network.modules())
    plain = any(type(part) is nn.ReLU for part in network.modules())
    if plain and not trained and asked.calibrate is None:
        raise InputError(
            "calibrate: expected layer or channel for a network of ReLUs, which has no thresholds, got none. Add --calibrate channel."
        )
    if trained and asked.calibrate is not None:
        raise InputError(f"calibrate: expected none for a network that was trained with thresholds, got {asked.calibrate}. Leave it out.")


def _converted(asked: ConvertRun, original: _Original) -> tuple[Converted, nn.Module]:
    """Return the spiking network and its reference: the original, or a copy of it with clipped ReLUs."""
    network = original.network
    channels, height, width = original.splits.valid.take(torch.tensor([0])).shape[1:]
    settings: dict[str, Any] = {
        "steps": asked.steps,
        "neuron": asked.neuron,
        "max_pool": asked.max_pool,
        "ceilings": asked.calibrate or "trained",
        "height": height,
        "width": width,
        "channels": channels,
        "outputs": len(original.labels),
    }
    if original.description is None:
        config = ConvertedConfig.of(network, **settings)
    else:
        config = ConvertedConfig(ann="described", ann_config=original.description, **settings)
    reference = network
    if asked.calibrate is not None:
        train = original.splits.train
        batches = (batch.x for batch in _batches(take_batch(train, evenly(len(train), asked.inputs))))
        reference = calibrate(network, batches, asked.quantile, per_channel=asked.calibrate == "channel")
    return Converted(config, reference).eval(), reference


def _batches(images: Batch) -> Iterator[Batch]:
    return (Batch(x, None, y) for x, y in zip(torch.split(images.x, _AT_ONCE), torch.split(images.y, _AT_ONCE), strict=True))


def _described(asked: ConvertRun, model: Converted, of: str) -> dict[str, Any]:
    """Return the options of a conversion and the fingerprint of the original as JSON values."""
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
