"""Folders of transformers with a language model or classifier and its tokenizer: atomic writing and reading."""

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from transformers import GenerationConfig, GenerationMixin, GPT2LMHeadModel, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from ...core.bounded import bounded
from ...core.files import read_json
from ...data.text.tokenizers import RESERVED, read_tokenizer, special_tokens, within
from ...errors import InputError
from ...pretrained import find_run
from ...pretrained.packed import PACKED, read_weights, weights_file
from ..gpt2 import GPT2
from ..lstm import LSTM
from ..lstm_hf import LSTMForCausalLM
from .classifier import SpikeGPTClassifier
from .hf import SpikeGPTForCausalLM, SpikeGPTForSequenceClassification, SpikeGPTPreTrainedConfig
from .network import SpikeGPT

_CONFIG, _GENERATION = "config.json", "generation_config.json"
_REMOTE = Path(__file__).parent / "remote/modeling_spikegpt.py"
"""The models in torch and transformers alone, which go into every folder: `trust_remote_code=True` opens it without dendrix."""
_AUTO = {"AutoConfig": "SpikeGPTConfig", "AutoModel": "SpikeGPTModel"}
_CLASSES = {"SpikeGPTForCausalLM": "AutoModelForCausalLM", "SpikeGPTForSequenceClassification": "AutoModelForSequenceClassification"}


def save_language_model(folder: Path, network: SpikeGPT | GPT2 | LSTM, tokenizer: Any) -> None:
    """Write a language model and its tokenizer as a folder of transformers. Each file is written atomically.

    The special tokens of the tokenizer are named in its configuration and in that of the model. A tokenizer without any, such as that of
    bytes, gets `<|endoftext|>` and `<|padding|>` with ids beyond the vocabulary, in transformers only: text never matches them, padding is
    masked, and the configuration of the model names none.

    Args:
        folder: existing folder.
        network: the language model.
        tokenizer: tokenizer of the tokenizers library.
    Raises:
        OSError: the folder cannot be written.
    """
    if isinstance(network, GPT2):
        model: PreTrainedModel = network.inner
    else:
        model = LSTMForCausalLM.of(network) if isinstance(network, LSTM) else SpikeGPTForCausalLM.of(network)
    _save(folder, model, tokenizer)


def save_classifier(folder: Path, network: SpikeGPTClassifier, labels: tuple[str, ...], pooling: str, tokenizer: Any) -> None:
    """Write a classifier as a folder for `transformers.pipeline("text-classification", folder)`. Each file is written atomically.

    Args:
        folder: existing folder.
        network: the classifier.
        labels: names of the classes, in the order of the outputs.
        pooling: "last" or "mean".
        tokenizer: tokenizer of the tokenizers library.
    Raises:
        OSError: the folder cannot be written.
    """
    names = dict(enumerate(labels))
    config = SpikeGPTPreTrainedConfig.of(network.config, pooling=pooling, id2label=names, label2id={name: i for i, name in names.items()})
    model = SpikeGPTForSequenceClassification(config)
    weights = network.state_dict()
    model.classifier.load_state_dict({name: weights.pop(f"classifier.{name}") for name in ("weight", "bias")})
    model.model.body.load_state_dict(weights)
    _save(folder, model, tokenizer)


def _save(folder: Path, model: PreTrainedModel, tokenizer: Any) -> None:
    own = special_tokens(tokenizer)
    for name in ("bos_token", "eos_token", "pad_token"):
        token = tokenizer.token_to_id(own[name]) if name in own else None
        setattr(model.config, f"{name}_id", token if token is not None and token < model.config.vocab_size else None)
    if isinstance(model, GenerationMixin):
        model.generation_config = GenerationConfig.from_model_config(model.config)
    names = (RESERVED if type(model).__name__ in _CLASSES else {}) | own
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, split_special_tokens=not own, model_input_names=["input_ids", "attention_mask"], **names
    )
    try:
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as temporary, _silent():
            if (name := type(model).__name__) in _CLASSES:
                auto = _AUTO | {_CLASSES[name]: name}
                model.config.auto_map = {key: f"{_REMOTE.stem}.{of}" for key, of in auto.items()}
                shutil.copy(_REMOTE, temporary)
            model.save_pretrained(temporary)
            fast.save_pretrained(temporary)
            Path(temporary, "tokenizer.json").write_text(tokenizer.to_str(pretty=True), encoding="utf-8")  # without the reserved tokens
            for file in Path(temporary).iterdir():
                file.replace(folder / file.name)
    except OSError as error:
        error.filename = str(folder)  # instead of no file, for a full disk, or a temporary file
        raise
    except SafetensorError as error:  # raised by safetensors for a full disk
        raise OSError(errno.EIO, str(error), str(folder)) from error


def load_classifier(folder: str | Path) -> tuple[SpikeGPTClassifier, tuple[str, ...], Literal["last", "mean"], Any]:
    """Load a classifier.

    Args:
        folder: folder written by `save_classifier`.
    Returns:
        the classifier in evaluation mode, the names of its classes, its pooling and its tokenizer.
    Raises:
        FileNotFoundError: a file does not exist.
        InputError: a file is damaged, or the folder contains another type of model.
    """
    model, tokenizer = _loaded(find_run(folder), SpikeGPTForSequenceClassification)
    network = SpikeGPTClassifier(model.config.network_config(), model.config.num_labels)
    network.load_state_dict(
        {**model.model.body.state_dict(), "classifier.weight": model.classifier.weight, "classifier.bias": model.classifier.bias}
    )
    labels = tuple(model.config.id2label[i] for i in range(model.config.num_labels))
    return network.eval(), labels, model.config.pooling, tokenizer


def load_language_model(folder: str | Path) -> tuple[SpikeGPTForCausalLM, Any]:
    """Load a SpikeGPT language model as a model of transformers.

    Args:
        folder: folder written by `save_language_model`, or the name of a shipped network.
    Returns:
        the model in evaluation mode, and its tokenizer of the tokenizers library.
    Raises:
        FileNotFoundError: a file does not exist.
        InputError: a file is damaged, or the folder contains another type of model.
    """
    return _loaded(find_run(folder), SpikeGPTForCausalLM)


def load_network(folder: str | Path) -> tuple[SpikeGPT | GPT2 | LSTM, Any]:
    """Load a `SpikeGPT`, or one of the baselines `GPT2` and `LSTM`, and its tokenizer.

    Args:
        folder: folder written by `save_language_model`, or the name of a shipped network.
    Raises:
        FileNotFoundError, InputError: as in `load_language_model`.
    """
    folder = find_run(folder)
    kind = read_json(folder / _CONFIG).get("model_type") if (folder / _CONFIG).is_file() else None
    if kind == "gpt2":
        control, tokenizer = _loaded(folder, GPT2LMHeadModel)
        return GPT2.of(control), tokenizer
    if kind == LSTMForCausalLM.config_class.model_type:
        baseline, tokenizer = _loaded(folder, LSTMForCausalLM)
        return baseline.network, tokenizer
    model, tokenizer = load_language_model(folder)
    return network_of(model), tokenizer


def _loaded(folder: Path, kind: Any) -> tuple[Any, Any]:
    """Return the model of a folder in evaluation mode, and its tokenizer."""
    index = "model.safetensors.index.json"
    weights = index if (folder / index).is_file() else weights_file(folder).name
    for name in (_CONFIG, weights, "tokenizer.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder}: expected a language model written by `dendrix train`, but it has no {name}. Check the path."
            )
    if (found := read_json(folder / _CONFIG).get("model_type")) != (wanted := kind.config_class.model_type):
        raise InputError(f"{folder}: expected a model of type {wanted!r}, but {_CONFIG} has type {found!r}. Check the path.")
    if (folder / _GENERATION).is_file():
        read_json(folder / _GENERATION)
    _expect_real(folder)
    try:
        with _silent(), bounded(sum(path.stat().st_size for path in folder.glob("*.safetensors"))):
            model, report = _read(folder, kind, weights == PACKED)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: expected a SpikeGPT, but it cannot be read ({reason}). Copy the run again.") from error
    wrong = [f"{what.removesuffix('_keys')} {', '.join(sorted(map(_mismatch, names)))}" for what, names in report.items() if names]
    if wrong:
        raise InputError(f"{folder}: expected the weights of its config.json, but there are {'; '.join(wrong)}. Copy the run again.")
    return model.eval(), within(read_tokenizer(folder / "tokenizer.json"), model.config.vocab_size)


def _read(folder: Path, kind: Any, packed: bool) -> tuple[Any, dict[str, Any]]:
    """Return the model of a folder, and what of its weights did not fit."""
    strictly: Any = dict(output_loading_info=True, ignore_mismatched_sizes=True)
    if not packed:
        model, report = kind.from_pretrained(folder, **strictly)
    else:
        config = kind.config_class.from_pretrained(folder)
        model, report = kind.from_pretrained(None, config=config, state_dict=read_weights(folder), **strictly)
    return model, report


def _expect_real(folder: Path) -> None:
    """Refuse complex weights, of which transformers would keep the real part."""
    for path in folder.glob("*.safetensors"):
        with contextlib.suppress(SafetensorError), safe_open(path, "pt") as file:  # damage is reported on loading
            for name in file.keys():  # noqa: SIM118
                if (kind := file.get_slice(name).get_dtype()).startswith("C"):
                    raise InputError(f"{path}: expected real weights, got {kind} in {name}. Take the real part, if that is what is meant.")


def _mismatch(name: str | tuple[str, torch.Size, torch.Size]) -> str:
    """Return the name of a parameter, with both shapes if they differ."""
    return name if isinstance(name, str) else f"{name[0]} ({list(name[1])} and not {list(name[2])})"


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Disable the progress bars and the log of transformers; mismatches are reported by `_loaded`."""
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
    """Convert a model of transformers to a `SpikeGPT` with its weights and training mode.

    Args:
        model: model of transformers.
    """
    network = SpikeGPT(model.config.network_config())
    network.load_state_dict({**model.model.body.state_dict(), "head.weight": model.head.weight})
    return network.train(model.training)


def end_tokens(model: SpikeGPTForCausalLM) -> tuple[int, ...]:
    """Return the tokens at which `generate` ends a text.

    Args:
        model: model of transformers.
    """
    found = model.generation_config.eos_token_id
    return () if found is None else tuple(found) if isinstance(found, list | tuple) else (found,)
