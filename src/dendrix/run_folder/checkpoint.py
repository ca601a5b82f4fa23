"""Saving and loading of networks: weights in `model.safetensors`, their description in `config.json`."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..checks import expect_path
from ..core import expect_module, weights_trouble
from ..core.bounded import bounded
from ..core.files import read_json, write_atomic, write_json
from ..core.trust import Trust
from ..data import Encoder, encoder_from_dict, encoder_to_dict
from ..data.given import names_of
from ..errors import InputError, InputTypeError, UntrustedError
from ..layers import freeze
from ..models import Decision
from ..models.description import build_network, cast_like, describe_network
from ..models.spikegpt.classifier import ARCHITECTURE
from ..pretrained import find_run, shipped
from ..pretrained.packed import read_weights, weights_file
from .migration import migrated_config

FORMAT = 2
_UNFIT = (ArithmeticError, AttributeError, IndexError, MemoryError, RuntimeError, TypeError, ValueError)
"""Errors of constructors for values that they do not expect; torch reports a lack of memory as a RuntimeError."""
WEIGHTS, CONFIG = "model.safetensors", "config.json"


@dataclass(frozen=True)
class Checkpoint:
    """A network with everything that is needed to use it on new inputs."""

    model: Any
    """A `Stateful`, or a network without state, such as an image network."""
    labels: tuple[str, ...]
    """Names of the classes, in the order of the outputs."""
    encoder: dict[str, Any] | None = None
    """Description of the encoder that turns sound into inputs, from `encoder_to_dict`; None if the inputs are not sound."""
    decision: Decision = field(default_factory=Decision)
    """How outputs become a decision."""
    shape: tuple[int, ...] | None = None
    """Shape of one input, [C, H, W] for an image; None if it was not recorded or inputs are sequences."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write both files atomically into an existing folder.

    Raises:
        InputTypeError: a part of the network cannot be described by data; it is named, and nothing is written.
    """
    model: Any = checkpoint.model
    described = {
        "format": FORMAT,
        **describe_network(model),
        "labels": list(checkpoint.labels),
        "encoder": checkpoint.encoder,
        "decision": asdict(checkpoint.decision),
        "shape": checkpoint.shape and list(checkpoint.shape),
    }
    tensors = _tensors(model)
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
    """Write a network as a folder that `load` reads, with the files `model.safetensors` and `config.json`.

    Layers of dendrix and torch are described by data. Your own class is stored by name. If it has the method `arguments()`, which returns
    a dict of constructor arguments, `load` can build it again; otherwise pass an instance to `load`.

    Args:
        network: any module.
        folder: folder to write, created if missing; existing files are replaced.
        labels: names of the classes, in the order of the outputs.
        encoder: encoder that turns sound into inputs.
        decision: how outputs become a decision; by default the mean over time.
    Raises:
        InputTypeError: a part of the network cannot be described by data; it is named, and nothing is written.
        InputError: the weights are not finite, or labels repeat; nothing is written.
    """
    target = expect_path(folder, "folder")
    for name, value, kind in (("encoder", encoder, Encoder), ("decision", decision, Decision)):
        if value is not None and not isinstance(value, kind):
            raise InputTypeError(f"{name}: expected a dendrix {kind.__name__}, got {value!r}. Pass an instance of one.")
    names = names_of(labels) if not isinstance(labels, tuple) or labels else ()
    described = None if encoder is None else encoder_to_dict(encoder)
    checkpoint = Checkpoint(expect_module(network), names, described, decision or Decision())
    describe_network(network)
    if broken := [name for name, tensor in _tensors(network).items() if not tensor.isfinite().all()]:
        raise InputError(f"network: expected finite weights, got NaN or infinity in {', '.join(broken)}. Train it with a lower rate.")
    target.mkdir(parents=True, exist_ok=True)
    write_checkpoint(target, checkpoint)


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Copies on the CPU of all that the network has learned."""
    found = {}
    for name, tensor in model.state_dict().items():
        if not isinstance(tensor, Tensor) or is_lazy(tensor) or tensor.is_meta:
            raise InputTypeError(f"{name}: expected a tensor with numbers to save, got {type(tensor).__name__}. Start the network.")
        found[name] = tensor.detach().cpu().contiguous().clone()
    return found


def expect_run(folder: Path) -> None:
    """Check that a folder holds a trained network.

    Raises:
        FileNotFoundError: the folder or one of its files is missing.
    """
    if missing := [name for name in (CONFIG, weights_file(folder).name) if not (folder / name).is_file()]:
        what = "does not exist" if not folder.exists() else f"has no {' and no '.join(missing)}"
        known = f"Check the path, or name a shipped network: {', '.join(shipped())}."
        raise FileNotFoundError(f"{folder}: expected a run folder as `dendrix train` writes it, but it {what}. {known}")


def holds_language_model(folder: Path) -> bool:
    """Return whether a folder holds a language model, which `dendrix train` writes as transformers does."""
    names = _architectures(read_json(folder / CONFIG)) if (folder / CONFIG).is_file() else []
    return bool(names) and ARCHITECTURE not in names


def _architectures(described: dict[str, Any]) -> list[Any]:
    """Networks of transformers that a `config.json` names."""
    names = described.get("architectures")
    return names if isinstance(names, list) else []


def read_checkpoint(folder: str | Path, *, network: nn.Module | None = None, trust: Trust = None) -> Checkpoint:
    """Read a run folder. The network has continuous delays and can be trained further; `load_checkpoint` returns it ready for use.

    Args:
        folder: folder of the run, or the name of a shipped network; a folder of the same name in the working directory is ambiguous and
            needs a path.
        network: network that the weights are loaded into, instead of one built from the description.
        trust: package, or path of a Python file, whose classes may be imported to build the network.
    Raises:
        OSError: the folder or one of its files is missing or not readable.
        UntrustedError: a class of the network is not part of dendrix or torch, and is neither passed nor trusted.
        InputError: a file is damaged or has an unknown format.
    """
    folder = find_run(expect_path(folder, "folder"))
    expect_run(folder)
    if network is not None:
        expect_module(network)
    described = read_json(folder / CONFIG)
    if ARCHITECTURE in _architectures(described):
        from ..models.spikegpt.hf_files import load_classifier  # imported late because transformers is optional

        classifier, names, pooling, _ = load_classifier(folder)
        return Checkpoint(classifier, names, decision=Decision(pooling))
    if holds_language_model(folder):
        raise InputError(f"{folder}: expected a classifier, got a language model. Use dendrix lm.")
    described, weights = migrated_config(described), weights_file(folder)
    if described.get("format") != FORMAT:
        raise InputError(
            f"{folder / CONFIG}: expected format {FORMAT}, got {described.get('format')!r}. Read it with the dendrix that wrote it."
        )
    try:
        with bounded(weights.stat().st_size):
            model = build_network(described, trust) if network is None else network
        config = getattr(model, "config", None)
        labels = _labels(described["labels"], getattr(config, "outputs", None))
        encoder, decision = described["encoder"], Decision(**described["decision"])
        if encoder is not None:
            _check_encoder(encoder_from_dict(encoder), config)
    except UntrustedError as error:
        raise UntrustedError(f"{folder / CONFIG}: {error}") from error
    except KeyError as error:
        raise InputError(f"{folder / CONFIG}: expected the field {error}, which is missing. Was it edited by hand?") from error
    except _UNFIT as error:
        reason = _reason(error)
        raise InputError(f"{folder / CONFIG}: expected the description of a network, but {reason} Was it edited by hand?") from error
    try:
        tensors = read_weights(folder)
        if trouble := weights_trouble(tensors):
            raise InputError(trouble)
        cast_like(model, tensors).load_state_dict(tensors)
    except (SafetensorError, RuntimeError, ValueError) as error:
        reason = _reason(error)
        raise InputError(f"{weights}: expected the weights of {CONFIG}, but {reason} Copy the run again.") from error
    return Checkpoint(model, labels, encoder, decision, _shape(described.get("shape"), folder))


def _shape(shape: Any, folder: Path) -> tuple[int, ...] | None:
    if shape is None or (isinstance(shape, list) and all(type(size) is int and size > 0 for size in shape)):
        return None if shape is None else tuple(shape)
    raise InputError(f"{folder / CONFIG}: expected shape as a list of positive integers, got {shape!r}. Was it edited by hand?")


def _labels(labels: Any, count: int | None) -> tuple[str, ...]:
    count = len(labels) if count is None and isinstance(labels, list) else count
    if not isinstance(labels, list) or len(set(map(str, labels))) != count or len(labels) != count:
        raise InputError(f"labels: expected a list of {count or 'all'} different names, got {labels!r}")
    return tuple(map(str, labels))


def _check_encoder(encoder: Encoder, config: Any) -> None:
    gives = (encoder.channels, encoder.dt_ms)
    takes = (getattr(config, "inputs", gives[0]), getattr(config, "dt_ms", gives[1]))
    if gives != takes:
        raise InputError(f"encoder: expected {takes[0]} channels every {takes[1]} ms, got {gives[0]} every {gives[1]} ms")


def _reason(error: Exception) -> str:
    """Return the message of an error on one line, as the end of a sentence."""
    text = " ".join(str(error).split())
    return text if text.endswith((".", "?")) else text + "."


def load_checkpoint(folder: str | Path, *, network: nn.Module | None = None, trust: Trust = None) -> Checkpoint:
    """Load a run folder with its network ready for use: in evaluation mode and with integer delays, as it was validated.

    Args:
        folder, network, trust: as in `read_checkpoint`; the passed network is not changed.
    Raises:
        OSError, InputError: see `read_checkpoint`.
    """
    checkpoint = read_checkpoint(folder, network=copy.deepcopy(network), trust=trust)
    return replace(checkpoint, model=freeze(checkpoint.model))


def load(folder: str | Path, *, network: nn.Module | None = None, trust: Trust = None) -> nn.Module:
    """Load the network of a run folder, ready for use: `outputs, state = load("runs/mine")(x)`.

    Args:
        folder: folder that `save` or `dendrix train` wrote, or the name of a shipped network.
        network: network of the same classes and sizes, for classes that are not part of dendrix or torch; it is not changed.
        trust: instead of a network, the package or Python file whose classes may be imported.
    Returns:
        the network in evaluation mode, with integer delays and without gradients.
    Raises:
        OSError: the folder or one of its files is missing or not readable.
        UntrustedError: a class is neither passed nor trusted. Untrusted code is never imported.
        InputError: a file is damaged or has an unknown format.
    """
    model: nn.Module = load_checkpoint(folder, network=network, trust=trust).model
    return model
