"""Energy measurement of the network of a run."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.files import read_json
from ..core.trust import Trust
from ..data.base import Batch
from ..data.text.corpora import corpus
from ..data.text.tokenizers import encode
from ..data.text.tokens import Tokens, counted
from ..energy import Metered, measure
from ..errors import InputError
from ..exits import Policy, decide, record_outputs
from ..models.converted import StillImageNetwork
from ..models.spikegpt.classifier import ARCHITECTURE
from ..pretrained import find_run
from ..run_folder.checkpoint import load_checkpoint
from ..run_folder.record import read_record
from ..samples import find_sample, samples
from .opened import OpenedRun, Split, open_run
from .sample_data import sample_data
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
    trust: Trust = None,
    policy: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Metered:
    """Count operations and memory traffic of the network of a run.

    Args:
        run: folder of the run, or the name of a shipped network.
        data: your own data, used instead of a split: a text file for a language model, else as in `own_data`.
        split: split of the data of the training; a shipped network is measured on its samples if `on_samples` is true.
        inputs: largest number of inputs, evenly spread over the data; for a text, windows as long as in the training.
        root: folder of the data of the training, if it has moved.
        trust: package or Python file of classes that are not part of dendrix or torch.
        policy: exit policy for this network, a file or a run folder with policy.json; steps after the exit of an input are not counted.
        progress: called after each batch with the number of processed inputs and the total.
    Raises:
        OSError: the run or its data are missing or not readable.
        InputError: a file of the run or the data is damaged, or the text is shorter than a window.
    """
    count = None if progress is None else lambda done: progress(done, inputs)
    folder, on_own = find_run(run), on_samples(run, data, root)
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    rule = None if policy is None else load_policy(policy)
    if "model_type" in config and ARCHITECTURE not in (config.get("architectures") or ()):
        if rule is not None:
            raise InputError(f"policy: expected a network that classifies, got the language model {run}. Leave the policy out.")
        from ..models.spikegpt.hf_files import load_network  # imported late because transformers is optional

        network, tokenizer = load_network(folder)
        text = find_sample(samples(folder.name)[0]) if on_own else data
        tokens, context = _text(folder, tokenizer, text, split, root)
        return Metered(network, measure(network, _windows(tokens, context, inputs), count), "token")
    if on_own:
        checkpoint = load_checkpoint(folder)
        opened = OpenedRun(folder, checkpoint, sample_data(checkpoint, folder))
    else:
        opened = open_run(run, split, data=data, root=root, trust=trust)
    return meter(opened, inputs, rule, count)


def meter(opened: OpenedRun, inputs: int, policy: Policy | None = None, progress: Callable[[int], None] | None = None) -> Metered:
    """Count operations and memory traffic of an opened run that classifies.

    Args:
        opened: the run.
        inputs: largest number of inputs, evenly spread over its data.
        policy: exit policy for this network; steps after the exit of an input are not counted.
        progress: called after each batch with the number of inputs so far.
    Raises:
        InputError: the policy is for another network, or the network has no steps.
    """
    network = opened.network
    repeated = network.presented if isinstance(network, StillImageNetwork) and opened.dt_ms is None else None
    batches = opened.sample(inputs) if policy is None else _until_exit(opened, policy, inputs)
    return Metered(network, measure(network, batches, progress), "input", repeated, opened.dt_ms)


def load_policy(given: Path) -> Policy:
    """Read an exit policy.

    Args:
        given: a policy file, a run folder with policy.json, or the name of a shipped network.
    Raises:
        OSError: the file is missing or cannot be read.
        InputError: it is not a policy.
    """
    folder = find_run(given)
    return Policy.load(folder / "policy.json" if folder.is_dir() else folder)


def _until_exit(opened: OpenedRun, policy: Policy, inputs: int) -> Iterator[Batch]:
    """Return batches whose steps after the exit of an input are invalid, as a network that stops does not compute them."""
    network, steps = opened.network, []
    if not opened.answers_over_time:
        raise InputError("policy: expected a network that answers after every step, got one without steps. Convert it first.")
    for batch in opened.sample(inputs):
        record = record_outputs(network, [batch], policy.accumulation, opened.dt_ms)
        policy.check_network(record.outputs.shape[2], record.accumulation, record.dt_ms, record.model)
        steps.append(decide(policy.rule, record).steps)
    return _shortened(opened.sample(inputs), steps)


def _shortened(batches: Iterator[Batch], steps: list[Tensor]) -> Iterator[Batch]:
    """Yield batches with the given number of valid steps of each input."""
    for batch, most in zip(batches, steps, strict=True):
        valid = batch.valid if batch.valid is not None else torch.ones(batch.x.shape[:2], dtype=torch.bool)
        yield batch._replace(valid=valid & (valid.cumsum(1) <= most.unsqueeze(1)))


def on_samples(run: Path, data: Path | None = None, root: Path | None = None) -> bool:
    """Return whether a run is measured on its samples: it is shipped, no data are given, and there is no data folder."""
    return data is None and root is None and find_run(run) != run and not os.environ.get("DENDRIX_DATA")


def _text(folder: Path, tokenizer: Any, data: Path | None, split: Split, root: Path | None) -> tuple[Tokens, int]:
    """Return the tokens of a text and the length of its windows."""
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
    """Yield `count` windows, evenly spread over a text."""
    if len(tokens) < context:
        raise InputError(f"text: expected at least {context} tokens, one window, got {len(tokens)}. Give a longer text.")
    starts = torch.linspace(0, len(tokens) - context, min(count, len(tokens) // context)).long()
    for chosen in torch.split(starts, _AT_ONCE):
        yield tokens.windows(chosen, context)
