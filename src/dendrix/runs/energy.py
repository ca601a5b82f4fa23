"""A trained network of any kind under the energy meter."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.files import read_json
from ..data import Dataset, ImageDataset, ImageFiles, loader, take_batch
from ..data.text.corpora import corpus
from ..data.text.token_sentences import TokenSentences, sentence_batches
from ..data.text.tokenizers import encode
from ..data.text.tokens import Tokens, counted
from ..energy import Metered, measure
from ..errors import InputError
from ..models import Converted
from ..models.spikegpt.classifier import ARCHITECTURE
from ..pretrained import find_run
from ..run_folder.record import read_record
from .opened import Opened, Split, open_run
from .recordings import open_recordings
from .text_scores import tokens_of

_CONTEXT = 256
_AT_ONCE = 16


def meter_run(
    run: Path,
    data: Path | None = None,
    *,
    split: Split = "valid",
    inputs: int = 64,
    root: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Metered:
    """Measure the network of a run.

    Args:
        run: the folder, or the name of a network that comes with dendrix.
        data: instead of a split: for a language model a text file, for a network that hears a folder with one sub-folder of wav files for
            each class.
        split: of the data it was trained on.
        inputs: how many of them at most, evenly spread; of a text, windows as long as in the training.
        root: the folder of those data, if it has moved.
        progress: called after each batch with the number of inputs so far and of all.
    Raises:
        OSError: the run or its data are not there, or may not be read.
        ValueError: a file of the run or the data is damaged, or the text is shorter than a window.
    """
    told = None if progress is None else lambda done: progress(done, inputs)
    folder = find_run(run)
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    if "model_type" in config and ARCHITECTURE not in (config.get("architectures") or ()):
        from ..models.spikegpt.hf_files import load_network  # here, not above: transformers is optional

        network, tokenizer = load_network(folder)
        tokens, context = _text(folder, tokenizer, data, split, root)
        return Metered(network, measure(network, _windows(tokens, context, inputs), told), "token")
    opened = open_run(run, split, root) if data is None else open_recordings(run, data)
    return Metered(opened.checkpoint.model, measure(opened.checkpoint.model, _batches(opened, inputs), told), "input")


def _text(folder: Path, tokenizer: Any, data: Path | None, split: Split, root: Path | None) -> tuple[Tokens, int]:
    """A text to read, and how long its windows are."""
    if data is not None:
        return tokens_of(data, tokenizer), _context(folder)
    described = read_record(folder)["recipe"]["data"]
    documents = getattr(corpus(described["text"], root or described["root"]), split)
    return Tokens(encode(tokenizer, documents), **counted(documents)), _context(folder)


def _context(folder: Path) -> int:
    if not (folder / "run.json").is_file():
        return _CONTEXT
    context: int = read_record(folder)["recipe"]["budget"].get("context", _CONTEXT)
    return context


def _windows(tokens: Tokens, context: int, count: int) -> Iterator[Tensor]:
    """So many windows, evenly spread over a text."""
    if len(tokens) < context:
        raise InputError(f"text: expected at least {context} tokens, a window, got {len(tokens)}. Give a longer text.")
    starts = torch.linspace(0, len(tokens) - context, min(count, len(tokens) // context)).long()
    for chosen in torch.split(starts, _AT_ONCE):
        yield tokens.windows(chosen, context)


def _batches(opened: Opened, count: int) -> Iterator[Any]:
    """So many inputs, evenly spread over a split, which may be sorted by class."""
    data, checkpoint = opened.data, opened.checkpoint
    if not isinstance(data, Dataset | TokenSentences | ImageDataset | ImageFiles):
        yield from islice(opened.batches, max(1, count // 500))
        return
    index = torch.linspace(0, len(data) - 1, min(count, len(data))).round().long()
    if isinstance(data, TokenSentences):
        yield from sentence_batches(data, index.tolist())
        return
    if isinstance(data, Dataset):
        yield from loader(data.subset(index), _AT_ONCE, tail_steps=checkpoint.decision.tail_steps(data.dt_ms))
        return
    for chosen in torch.split(index, _AT_ONCE):
        images, _ = take_batch(data, chosen)
        yield checkpoint.model.encode(images) if isinstance(checkpoint.model, Converted) else images
