"""Folders of transformers: language models and classifiers, with their tokenizers, written whole or not at all, and read."""

import contextlib
import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from transformers import GPT2LMHeadModel, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from ...core.files import read_json
from ...data.text.tokenizers import padding_token, read_tokenizer
from ...errors import InputError
from ..gpt2 import GPT2
from .classifier import SpikeGPTClassifier
from .hf import SpikeGPTForCausalLM, SpikeGPTForSequenceClassification, SpikeGPTPreTrainedConfig
from .network import SpikeGPT

_CONFIG = "config.json"


def save_language_model(folder: Path, network: SpikeGPT | GPT2, tokenizer: Any) -> None:
    """Write a network and its tokenizer as a folder of transformers; each file is whole or as it was before.

    Args:
        folder: exists.
        network: the language model.
        tokenizer: of the tokenizers library.
    """
    model = network.inner if isinstance(network, GPT2) else SpikeGPTForCausalLM.of(network)
    _save(folder, model, PreTrainedTokenizerFast(tokenizer_object=tokenizer))


def save_classifier(folder: Path, network: SpikeGPTClassifier, labels: tuple[str, ...], pooling: str, tokenizer: Any) -> None:
    """Write a classifier as a folder that `transformers.pipeline("text-classification", folder)` takes; see `save_language_model`.

    Args:
        folder: exists.
        network: the classifier.
        labels: the names of the classes, in the order of the outputs.
        pooling: "last" or "mean".
        tokenizer: of the tokenizers library.
    """
    names = dict(enumerate(labels))
    config = SpikeGPTPreTrainedConfig.of(network.config, pooling=pooling, id2label=names, label2id={name: i for i, name in names.items()})
    model = SpikeGPTForSequenceClassification(config)
    weights = network.state_dict()
    model.classifier.load_state_dict({name: weights.pop(f"classifier.{name}") for name in ("weight", "bias")})
    model.model.body.load_state_dict(weights)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=padding_token(tokenizer), model_input_names=["input_ids", "attention_mask"]
    )
    _save(folder, model, fast)


def _save(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as temporary, _silent():
            model.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
            for file in Path(temporary).iterdir():
                file.replace(folder / file.name)
    except OSError as error:
        error.filename = str(folder)  # a full disk names no file, and a temporary one is nobody's business
        raise
    except SafetensorError as error:  # a full disk, in its own words
        raise OSError(errno.EIO, str(error), str(folder)) from error


def load_classifier(folder: str | Path) -> tuple[SpikeGPTClassifier, tuple[str, ...], Literal["last", "mean"], Any]:
    """The classifier of a folder, in evaluation mode, the names of its classes, its pooling and its tokenizer.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a file is damaged, or it is another model.
    """
    model, tokenizer = _loaded(Path(folder), SpikeGPTForSequenceClassification)
    network = SpikeGPTClassifier(model.config.network_config(), model.config.num_labels)
    network.load_state_dict(
        {**model.model.body.state_dict(), "classifier.weight": model.classifier.weight, "classifier.bias": model.classifier.bias}
    )
    labels = tuple(model.config.id2label[i] for i in range(model.config.num_labels))
    return network.eval(), labels, model.config.pooling, tokenizer


def load_language_model(folder: str | Path) -> tuple[SpikeGPTForCausalLM, Any]:
    """The SpikeGPT of a folder, in evaluation mode, and its tokenizer, of the tokenizers library.

    Raises:
        FileNotFoundError: there is none.
        ValueError: a file is damaged, or it is another model.
    """
    return _loaded(Path(folder), SpikeGPTForCausalLM)


def load_network(folder: str | Path) -> tuple[SpikeGPT | GPT2, Any]:
    """As `load_language_model`, the network of our own or the control that was trained beside it; see `network_of`."""
    folder = Path(folder)
    if (folder / _CONFIG).is_file() and read_json(folder / _CONFIG).get("model_type") == "gpt2":
        control, tokenizer = _loaded(folder, GPT2LMHeadModel)
        return GPT2.of(control), tokenizer
    model, tokenizer = load_language_model(folder)
    return network_of(model), tokenizer


def _loaded(folder: Path, kind: Any) -> tuple[Any, Any]:
    """The model of a folder, and its tokenizer."""
    for name in (_CONFIG, "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder}: expected a language model as `dendrix train` writes it, but it has no {name}. Check the path."
            )
    if (found := read_json(folder / _CONFIG).get("model_type")) != (wanted := kind.config_class.model_type):
        raise InputError(f"{folder}: expected a model of the type {wanted!r}, but {_CONFIG} says {found!r}. Is it another model?")
    try:
        with _silent():
            model, report = kind.from_pretrained(folder, output_loading_info=True, ignore_mismatched_sizes=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: expected a SpikeGPT, but it cannot be read ({reason}). Copy the run again.") from error
    wrong = [f"{what.removesuffix('_keys')} {', '.join(sorted(map(_told, names)))}" for what, names in report.items() if names]
    if wrong:
        raise InputError(f"{folder}: expected the weights of its config.json, but there are {'; '.join(wrong)}. Copy the run again.")
    return model.eval(), read_tokenizer(folder / "tokenizer.json")


def _told(name: str | tuple[str, torch.Size, torch.Size]) -> str:
    """A parameter that does not fit, and how its shape differs."""
    return name if isinstance(name, str) else f"{name[0]} ({list(name[1])} and not {list(name[2])})"


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Transformers is silent: a few megabytes need no bar, a training has its own, and what does not fit is said by us."""
    shows, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shows:
            logging.enable_progress_bar()


def network_of(model: SpikeGPTForCausalLM) -> SpikeGPT:
    """The network of our own with the weights of a model, in its mode."""
    network = SpikeGPT(model.config.network_config())
    network.load_state_dict({**model.model.body.state_dict(), "head.weight": model.head.weight})
    return network.train(model.training)
