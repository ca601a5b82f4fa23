"""A trained network as a folder: `model.safetensors` holds the numbers, `config.json` how to build it and how to feed it."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import safetensors.torch
from safetensors import SafetensorError

from ..core import Stateful, expect_one_of
from ..core.files import read_json, write_atomic, write_json
from ..data import Encoder, encoder_from_dict
from ..errors import InputError, InputTypeError
from ..layers import freeze
from ..models import MODELS, Decision, DelayNetConfig
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


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write both files into a folder that exists; each is whole or absent."""
    kinds = {network: name for name, (_, network) in MODELS.items()}
    model: Any = checkpoint.model
    if type(model) not in kinds:
        raise InputTypeError(f"model: expected one of {', '.join(MODELS)}, got {type(model).__name__}. Add it to dendrix.models.MODELS.")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_atomic(folder / WEIGHTS, safetensors.torch.save(tensors))
    described = {
        "format": FORMAT,
        "model": kinds[type(model)],
        "config": asdict(model.config),
        "labels": list(checkpoint.labels),
        "encoder": checkpoint.encoder,
        "decision": asdict(checkpoint.decision),
    }
    write_json(folder / CONFIG, described)


def expect_run(folder: Path) -> None:
    """Check that a folder holds a trained network.

    Raises:
        OSError: it is not there, or one of its files is missing.
    """
    if missing := [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]:
        what = "is not there" if not folder.exists() else f"has no {' and no '.join(missing)}"
        known = f"Check the path, or name one that comes with dendrix: {', '.join(shipped())}."
        raise FileNotFoundError(f"{folder}: expected a run folder as `dendrix train` writes it, but it {what}. {known}")


def read_checkpoint(folder: str | Path) -> Checkpoint:
    """Read a run folder. The network has its continuous delays and trains on; `load_checkpoint` gives it ready for use.

    Args:
        folder: the run, or the name of a network that comes with dendrix; a folder of that name goes first.
    Raises:
        OSError: the folder or one of its files is missing or may not be read.
        ValueError: a file is damaged, or of a format that this version does not know.
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
        config_type, network = MODELS[expect_one_of(described["model"], MODELS, "model")]
        config = config_type(**described["config"])
        model = network(config)
        labels = _labels(described["labels"], config.outputs)
        encoder, decision = described["encoder"], Decision(**described["decision"])
        if encoder is not None:
            _check_encoder(encoder_from_dict(encoder), config)
    except KeyError as error:
        raise InputError(f"{folder / CONFIG}: expected the field {error}, which is missing. Was it edited by hand?") from error
    except (TypeError, ValueError, RuntimeError) as error:  # torch reports a lack of memory as a RuntimeError
        reason = _reason(error)
        raise InputError(f"{folder / CONFIG}: expected the description of a network, but {reason} Was it edited by hand?") from error
    try:
        model.load_state_dict(safetensors.torch.load((folder / WEIGHTS).read_bytes()))
        if broken := [name for name, tensor in model.state_dict().items() if not tensor.isfinite().all()]:
            raise InputError(f"NaN or infinity is in {', '.join(broken)}")
    except (SafetensorError, RuntimeError, ValueError) as error:
        reason = _reason(error)
        raise InputError(f"{folder / WEIGHTS}: expected the weights of {CONFIG}, but {reason} Copy the run again.") from error
    return Checkpoint(model, labels, encoder, decision)


def _labels(labels: Any, count: int) -> tuple[str, ...]:
    if not isinstance(labels, list) or len(set(map(str, labels))) != count or len(labels) != count:
        raise InputError(f"labels: expected a list of {count} different names, got {labels!r}")
    return tuple(map(str, labels))


def _check_encoder(encoder: Encoder, config: DelayNetConfig) -> None:
    gives, takes = (encoder.channels, encoder.dt_ms), (config.inputs, config.dt_ms)
    if gives != takes:
        raise InputError(f"encoder: expected {takes[0]} channels every {takes[1]} ms, got {gives[0]} every {gives[1]} ms")


def _reason(error: Exception) -> str:
    """The message of an error on one line, as the end of a sentence."""
    text = " ".join(str(error).split())
    return text if text.endswith((".", "?")) else text + "."


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """A run folder with its network ready for use: in evaluation mode and with integer delays, as it was validated.

    Raises:
        OSError, ValueError: see `read_checkpoint`.
    """
    checkpoint = read_checkpoint(folder)
    return replace(checkpoint, model=freeze(checkpoint.model))


def load(folder: str | Path) -> Stateful:
    """The network of a run folder, ready for use: `outputs, state = load("runs/mine")(x)`.

    Raises:
        OSError, ValueError: see `read_checkpoint`.
    """
    return cast(Stateful, load_checkpoint(folder).model)
