"""Export of a finished language model: quantisation on its training text, and a comparison on its validation text."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..core import expect_fields
from ..data.text.tokenizers import is_bytes
from ..data.text.tokens import Tokens
from ..deploy import DeployedText, export_text_c, export_text_npz, export_text_wasm, quantise_text
from ..deploy.text_export import TEXT_ENGINE_BYTES
from ..errors import InputError, InputTypeError
from ..generate.packing import rounded_weight
from ..models.spikegpt.deployment import folded
from ..models.spikegpt.hf_files import load_network
from ..models.spikegpt.network import SpikeGPT
from ..pretrained import find_run
from .deployment import Budget
from .opened import source_of
from .text_scores import score_text

TextTarget = Literal["c", "wasm", "npz"]

TEXT_EXPORTS: dict[str, Callable[..., None]] = {"c": export_text_c, "wasm": export_text_wasm, "npz": export_text_npz}
"""Exports of language models by the name of their target."""

_WINDOWS, _LENGTH, _BATCH = 64, 256, 16
"""Windows of the training text that choose the units of activations, their length in tokens, and the number in a batch."""
_TEXT = 64
"""Tokens of a test vector."""


@dataclass(frozen=True)
class DeployTextRun:
    """How to deploy a language model."""

    run: Path
    """The run."""
    texts: int = 10
    """Pieces of validation text that become test vectors."""
    compared: int = 16_384
    """Tokens of validation text on which the networks are compared."""
    root: Path | None = None
    """The data folder, if it has moved."""
    budget: Budget | None = None
    """Limits of flash and RAM. Weights always have 8 bits, so a larger network is refused."""

    def __post_init__(self) -> None:
        expect_fields(self, whole=("texts", "compared"), texts="[1, inf)", compared="[2, inf)")


@dataclass(frozen=True)
class TextComparison:
    """Bits per byte of the beginning of the validation text."""

    tokens: int
    float_bits_per_byte: float
    int8_bits_per_byte: float
    """With the same rounded weights and floating-point arithmetic."""
    integer_bits_per_byte: float


@dataclass(frozen=True)
class ReadyText:
    """A language model that is ready for export, and what it was compared on."""

    deployed: DeployedText
    comparison: TextComparison
    texts: list[Any]
    """Tokens of the test vectors, int64 [T] each."""


def prepare_text_run(asked: DeployTextRun) -> ReadyText:
    """Quantise the language model of a run and compare it with the float network.

    Args:
        asked: what to deploy and how.
    Raises:
        OSError: the run or its data are missing or not readable.
        InputError, InputTypeError: the run has no SpikeGPT, a part of it has no integer form, or it misses the budget.
    """
    folder = find_run(asked.run)
    network, tokenizer = load_network(folder)
    if not isinstance(network, SpikeGPT):
        raise InputTypeError(f"{folder}: expected a SpikeGPT, got {type(network).__name__}, which has no integer form. Choose another run.")
    splits = source_of(folder, asked.root).load()
    whole = quantise_text(network, torch.split(_windows(splits.train, _WINDOWS, _LENGTH), _BATCH))
    deployed = DeployedText(whole, is_bytes(tokenizer))
    if asked.budget and (excess := asked.budget.excess(deployed.tables_bytes + TEXT_ENGINE_BYTES, deployed.memory_bytes)):
        raise InputError(f"budget: expected a network within it, got {'; '.join(excess)}. Raise the budget, or train a smaller network.")
    text = _beginning(splits.valid, asked.compared)
    scores = [score_text(model, text).bits_per_byte for model in (network, _rounded(network), whole)]
    texts = [row.numpy() for row in _windows(splits.valid, asked.texts, _TEXT)]
    return ReadyText(deployed, TextComparison(len(text), *scores), texts)


def export_text_run(asked: DeployTextRun, to: TextTarget, folder: Path) -> ReadyText:
    """Deploy a language model into a new folder; returns what was exported.

    Args:
        asked: what to deploy and how.
        to: the target.
        folder: a new folder.
    Raises:
        FileExistsError: the folder exists.
        OSError, InputError, InputTypeError: see `prepare_text_run`.
    """
    if folder.exists():
        raise FileExistsError(f"{folder}: expected a name for a new folder, but it exists. Choose another or remove it.")
    ready = prepare_text_run(asked)
    TEXT_EXPORTS[to](ready.deployed, folder, ready.texts)
    return ready


@torch.no_grad()
def _rounded(network: SpikeGPT) -> SpikeGPT:
    """A copy with every matrix rounded to 8 bits."""
    made = copy.deepcopy(folded(network))
    for part in made.modules():
        if isinstance(part, nn.Linear):
            whole, scales = rounded_weight(part.weight, "int8")
            part.weight.copy_(whole.float() * scales.unsqueeze(1))
    return made


def _windows(tokens: Tokens, count: int, length: int) -> Tensor:
    """Pieces of a text, evenly spread, int64 [count, length]."""
    length = min(length, len(tokens))
    starts = np.linspace(0, len(tokens) - length, count).astype(np.int64)
    return tokens.windows(torch.from_numpy(starts), length)


def _beginning(tokens: Tokens, count: int) -> Tokens:
    """The first tokens of a text, with their share of its bytes."""
    count = min(count, len(tokens))
    return Tokens(tokens.ids[:count], round(tokens.n_bytes * count / len(tokens)), 0, 0)
