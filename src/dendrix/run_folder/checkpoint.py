"""A trained network as a folder: `model.safetensors` holds the numbers, `config.json` how to build it and how to feed it."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import nn

from ..core import expect_one_of, weights_trouble
from ..core.files import read_json, write_atomic, write_json
from ..core.trust import Trust
from ..data import Encoder, encoder_from_dict, encoder_to_dict
from ..errors import InputError, UntrustedError
from ..layers import freeze
from ..models import MODELS, Converted, Decision
from ..models.description import build, cast_like, describe
from ..models.spikegpt.classifier import ARCHITECTURE
from ..pretrained import find_run, shipped
from .migration import migrated_config

FORMAT = 2
WEIGHTS, CONFIG = "model.safetensors", "config.json"


@dataclass(frozen=True)
class Checkpoint:
    """A network with what it takes to use it on new input."""

    model: Any
    """A `Stateful`, or an image network, which answers in one step."""
    labels: tuple[str, ...]
    """The names of the classes, in the order of the outputs."""
    encoder: dict[str, Any] | None = None
    """What turns sound into the network's input, as `encoder_to_dict` gives it; None where the input is no sound."""
    decision: Decision = field(default_factory=Decision)
    """How outputs become a decision."""
    shape: tuple[int, ...] | None = None
    """Of one input: [C, H, W] of an image; None where it was not recorded, or inputs are sequences."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write both files into a folder that exists; each is whole or absent.

    Raises:
        InputTypeError: a part of the network cannot be described by data; it is named, and nothing is written.
    """
    model: Any = checkpoint.model
    described = {
        "format": FORMAT,
        **_described(model),
        "labels": list(checkpoint.labels),
        "encoder": checkpoint.encoder,
        "decision": asdict(checkpoint.decision),
        "shape": checkpoint.shape and list(checkpoint.shape),
    }
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    write_atomic(folder / WEIGHTS, safetensors.torch.save(tensors))
    write_json(folder / CONFIG, described)


def save(
    network: nn.Module,
    folder: str | Path,
    *,
    labels: Sequence[str] = (),
    encoder: Encoder | None = None,
    decision: Decision | None = None,
) -> None:
    """Write a network as a folder that `load` reads: `model.safetensors` and `config.json`, each whole or absent.

    Layers of dendrix and torch are described by data. A class of your own is named; it is built again from what its method `arguments()`
    returns, a dict of constructor arguments, if it has one, and otherwise has to be passed to `load`.

    Args:
        network: any module.
        folder: made if it is not there; the two files are replaced.
        labels: the names of the classes, in the order of the outputs.
        encoder: what turns sound into the network's input.
        decision: how outputs become a decision; the mean over time by default.
    Raises:
        InputTypeError: a part of the network cannot be described by data; it is named, and nothing is written.
    """
    described = None if encoder is None else encoder_to_dict(encoder)
    checkpoint = Checkpoint(network, tuple(labels), described, decision or Decision())
    _described(network)
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_checkpoint(Path(folder), checkpoint)


def _described(network: nn.Module) -> dict[str, Any]:
    kinds = {kind: name for name, (_, kind) in MODELS.items()}
    if (name := kinds.get(type(network))) is not None:
        config: Any = network.config
        return {"model": name, "config": asdict(config)}
    return {"network": describe(network)}


def expect_run(folder: Path) -> None:
    """Check that a folder holds a trained network.

    Raises:
        OSError: it is not there, or one of its files is missing.
    """
    if missing := [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]:
        what = "is not there" if not folder.exists() else f"has no {' and no '.join(missing)}"
        known = f"Check the path, or name one that comes with dendrix: {', '.join(shipped())}."
        raise FileNotFoundError(f"{folder}: expected a run folder as `dendrix train` writes it, but it {what}. {known}")


def read_checkpoint(folder: str | Path, *, network: nn.Module | None = None, trust: Trust = None) -> Checkpoint:
    """Read a run folder. The network has its continuous delays and trains on; `load_checkpoint` gives it ready for use.

    Args:
        folder: the run, or the name of a network that comes with dendrix; where a run here has that name too, its path tells them apart.
        network: takes the weights, instead of a network built from the description.
        trust: a package, or the path of a Python file, whose classes may be imported to build the network.
    Raises:
        OSError: the folder or one of its files is missing or may not be read.
        UntrustedError: the network has a class that is not of dendrix or torch, and is neither passed nor trusted.
        InputError: a file is damaged, or of a format that this version does not know.
    """
    folder = find_run(folder)
    expect_run(folder)
    described = read_json(folder / CONFIG)
    if ARCHITECTURE in (described.get("architectures") or ()):
        from ..models.spikegpt.hf_files import load_classifier  # here, not above: transformers is optional

        classifier, names, pooling, _ = load_classifier(folder)
        return Checkpoint(classifier, names, decision=Decision(pooling))
    if described.get("architectures"):
        raise InputError(f"{folder}: expected a network that classifies, got a language model. Ask it with dendrix lm.")
    described = migrated_config(described)
    if described.get("format") != FORMAT:
        raise InputError(
            f"{folder / CONFIG}: expected format {FORMAT}, got {described.get('format')!r}. Read it with the dendrix that wrote it."
        )
    try:
        model = _network(described, trust) if network is None else network
        config = getattr(model, "config", None)
        labels = _labels(described["labels"], getattr(config, "outputs", None))
        encoder, decision = described["encoder"], Decision(**described["decision"])
        if encoder is not None:
            _check_encoder(encoder_from_dict(encoder), config)
    except UntrustedError as error:
        raise UntrustedError(f"{folder / CONFIG}: {error}") from error
    except KeyError as error:
        raise InputError(f"{folder / CONFIG}: expected the field {error}, which is missing. Was it edited by hand?") from error
    except (TypeError, ValueError, RuntimeError) as error:  # torch reports a lack of memory as a RuntimeError
        reason = _reason(error)
        raise InputError(f"{folder / CONFIG}: expected the description of a network, but {reason} Was it edited by hand?") from error
    try:
        tensors = safetensors.torch.load((folder / WEIGHTS).read_bytes())
        if trouble := weights_trouble(tensors):
            raise InputError(trouble)
        cast_like(model, tensors).load_state_dict(tensors)
    except (SafetensorError, RuntimeError, ValueError) as error:
        reason = _reason(error)
        raise InputError(f"{folder / WEIGHTS}: expected the weights of {CONFIG}, but {reason} Copy the run again.") from error
    shape = described.get("shape")
    return Checkpoint(model, labels, encoder, decision, shape and tuple(shape))


def _network(described: dict[str, Any], trust: Trust) -> Any:
    if "network" in described:
        return build(described["network"], trust)
    config_type, kind = MODELS[expect_one_of(described["model"], MODELS, "model")]
    config: Any = config_type(**described["config"])
    return Converted(config, trust=trust) if kind is Converted else kind(config)


def _labels(labels: Any, count: int | None) -> tuple[str, ...]:
    count = len(labels) if count is None and isinstance(labels, list) else count
    if not isinstance(labels, list) or len(set(map(str, labels))) != count or len(labels) != count:
        raise InputError(f"labels: expected a list of {count} different names, got {labels!r}")
    return tuple(map(str, labels))


def _check_encoder(encoder: Encoder, config: Any) -> None:
    gives = (encoder.channels, encoder.dt_ms)
    takes = (getattr(config, "inputs", gives[0]), getattr(config, "dt_ms", gives[1]))
    if gives != takes:
        raise InputError(f"encoder: expected {takes[0]} channels every {takes[1]} ms, got {gives[0]} every {gives[1]} ms")


def _reason(error: Exception) -> str:
    """The message of an error on one line, as the end of a sentence."""
    text = " ".join(str(error).split())
    return text if text.endswith((".", "?")) else text + "."


def load_checkpoint(folder: str | Path, *, network: nn.Module | None = None, trust: Trust = None) -> Checkpoint:
    """A run folder with its network ready for use: in evaluation mode and with integer delays, as it was validated.

    Args:
        folder, network, trust: as in `read_checkpoint`; the network that is passed stays as it is.
    Raises:
        OSError, InputError: see `read_checkpoint`.
    """
    checkpoint = read_checkpoint(folder, network=copy.deepcopy(network), trust=trust)
    return replace(checkpoint, model=freeze(checkpoint.model))


def load(folder: str | Path, *, network: nn.Module | None = None, trust: Trust = None) -> nn.Module:
    """The network of a run folder, ready for use: `outputs, state = load("runs/mine")(x)`.

    Args:
        folder: what `save` or `dendrix train` wrote, or the name of a network that comes with dendrix.
        network: one of the same classes and sizes, for classes that are not of dendrix or torch; it stays as it is.
        trust: instead of a network, the package or Python file whose classes may be imported to build it.
    Returns:
        the network in evaluation mode, with integer delays and without gradients.
    Raises:
        OSError: the folder or one of its files is missing or may not be read.
        UntrustedError: it names a class that is neither passed nor trusted. Nothing is imported unasked.
        InputError: a file is damaged, or of a format that this version does not know.
    """
    model: nn.Module = load_checkpoint(folder, network=network, trust=trust).model
    return model
