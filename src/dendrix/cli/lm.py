"""Spiking language models: score texts, generate text, classify sentences. Train one with `dendrix train spikegpt-small`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table

from ..errors import MisuseError
from ..progress import progress
from ..recipes import recipes
from .lm_generate import generate
from .output import print_json

Run = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
Sentences = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA")]
Files = Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE ...")]

_CLASSIFIER = "spikegpt-classifier"
_PERPLEXED = 100_000
"""Perplexity of a word from which only the bound is printed: the model has not learned to write words."""


def evaluate(
    run: Run,
    files: Files,
    context: int | None = None,
    stride: int | None = None,
    prefix_token: int | None = None,
    weights: Literal["float32", "bfloat16", "int8"] = "float32",
    json: bool = False,
) -> None:
    """Score text files: bits per byte and per character, and word-level perplexity as for WikiText.

    Args:
        run: folder that `dendrix train` wrote for a language model, or the name of a shipped one, novels.
        files: text files, scored separately, or shipped samples, such as harbour.txt.
        context: length of windows, in tokens, each read from rest; by default the context of a token is all tokens before it.
        stride: number of new tokens in each window; by default half of the context.
        prefix_token: token id that is read before each file and not scored, as lm_eval has one; by default the first token has no score.
        weights: format of the weights, as in `dendrix lm generate`.
        json: print JSON.
    """
    if not files:
        raise MisuseError("FILE: expected at least one text file, got none. Name the files to score.")
    if stride is not None and context is None:
        raise MisuseError("--stride: expected --context as well, got none. Give both.")
    from ..generate import Decoder
    from ..models.spikegpt.hf_files import load_language_model, load_network, network_of
    from ..runs.text_scores import score_text, tokens_of
    from ..samples import sample

    network: Any
    if weights == "float32":
        network, tokenizer = load_network(run)
    else:
        model, tokenizer = load_language_model(run)
        network = Decoder(network_of(model), weights)
    scores = {}
    for file in files:
        with progress(file.name, hidden=json) as bar:
            text = tokens_of(sample(file), tokenizer, prefix_token)
            scores[str(file)] = score_text(network, text, context=context, stride=stride, progress=bar.at)
    if json:
        print_json({name: asdict(found) for name, found in scores.items()})
        return
    table = Table("file", "tokens", "bits per byte", "bits per character", "word perplexity")
    for name, found in scores.items():
        per_character = "" if found.bits_per_character is None else f"{found.bits_per_character:.4f}"
        perplexity = f"{found.word_perplexity:.2f}" if found.word_perplexity < _PERPLEXED else f"above {_PERPLEXED:,}"
        table.add_row(name, f"{found.tokens:,}", f"{found.bits_per_byte:.4f}", per_character, perplexity)
    Console().print(table)


def finetune(data: Sentences) -> None:
    """Train a sentence classifier: `dendrix lm finetune sst2 --model.pretrained RUN`. `dendrix lm finetune sst2 --help` lists all options.

    Args:
        data: sst2, sst5, mr, subj or trec, or your own .tsv, .csv or .jsonl file, or a folder with train, valid and test files.
    """


def finetuning(data: str, options: Sequence[str]) -> tuple[str, list[str]]:
    """Return the recipe and the options of `dendrix lm finetune DATA`."""
    variant = f"{_CLASSIFIER}:{data}"
    if variant in {listed.name for listed in recipes()}:
        return variant, list(options)
    return _CLASSIFIER, ["--data.source", data, *options]


COMMANDS: dict[str, Callable[..., Any]] = {"eval": evaluate, "generate": generate, "finetune": finetune}
