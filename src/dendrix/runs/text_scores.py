"""How well a language model predicts a text, in units that do not depend on its tokens."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..core import detach
from ..data.text.corpora import read_text_file
from ..data.text.tokenizers import encode
from ..data.text.tokens import Tokens, counted
from ..errors import InputError


@dataclass(frozen=True)
class TextScores:
    """The surprise of a whole text. The first token is not predicted, but its bytes, characters and word count."""

    nats: float
    """Sum over all tokens but the first."""
    tokens: int
    """How many were predicted."""
    bits_per_byte: float
    bits_per_character: float | None
    """None where the text is no UTF-8."""
    word_perplexity: float
    """exp(nats / words); a word is what stands between spaces, or the end of a line, as WikiText is counted."""


def tokens_of(path: Path, tokenizer: Any) -> Tokens:
    """A text file as tokens, in memory.

    Raises:
        OSError: it is not there or may not be read.
        ValueError: it is no UTF-8, and the tokenizer is not that of bytes.
    """
    return tokens_in(read_text_file(path), tokenizer)


def tokens_in(document: bytes, tokenizer: Any) -> Tokens:
    """A text as tokens, in memory.

    Raises:
        ValueError: it is no UTF-8, and the tokenizer is not that of bytes.
    """
    return Tokens(encode(tokenizer, [document]), **counted([document]))


def score_text(
    model: Any,
    text: Tokens,
    *,
    context: int | None = None,
    stride: int | None = None,
    batch_size: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> TextScores:
    """Predict every token of a text from those before it.

    Args:
        model: gives (logits [B, T, V], state) for tokens int64 [B, T] and a state, as `SpikeGPT` does; in evaluation mode.
        text: what to predict.
        context: read windows of so many tokens, each from rest; None reads the text once, carrying the state all the way.
        stride: tokens that each window adds, which have at least `context - stride` tokens before them; None is half of the context.
        batch_size: windows at once.
        progress: called with the tokens that are done and all.
    Raises:
        ValueError: the text is shorter than two tokens, or a size does not fit.
        FloatingPointError: a logit is NaN or infinite.
    """
    if len(text) < 2:
        raise InputError(f"text: expected at least two tokens, got {len(text)}. Give a longer file.")
    if context is None:
        parts = _carried(model, text)
    else:
        parts = _windows(model, text, context, max(context // 2, 1) if stride is None else stride, batch_size)
    nats, done = 0.0, 0
    for loss, count in parts:
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"logits: expected finite numbers, got a loss of {loss} after {done} tokens. Is the training diverged?"
            )
        nats, done = nats + loss, done + count
        if progress is not None:
            progress(done, len(text) - 1)
    per_character = nats / math.log(2) / text.characters if text.characters else None
    word_perplexity = math.exp(min(nats / max(text.words, 1), 700.0))
    return TextScores(nats, done, nats / math.log(2) / text.bytes, per_character, word_perplexity)


_PIECE = 1024


@torch.no_grad()
def _carried(model: Any, text: Tokens) -> Iterator[tuple[float, int]]:
    """The text in one go: every token has all those before it as its context."""
    state = None
    for start in range(0, len(text) - 1, _PIECE):
        length = min(_PIECE, len(text) - 1 - start)
        window = text.windows(torch.tensor([start]), length + 1)
        logits, state = model(window[:, :-1], state)
        state = detach(state)
        yield _loss(logits, window[:, 1:]), length


@torch.no_grad()
def _windows(model: Any, text: Tokens, context: int, stride: int, batch_size: int) -> Iterator[tuple[float, int]]:
    """Overlapping windows from rest; of each but the first only the last `stride` predictions count."""
    if context < 1:
        raise InputError(f"context: expected at least 1 token, got {context}.")
    if not 0 < stride <= context:
        raise InputError(f"stride: expected 1 to the context of {context} tokens, got {stride}.")
    ends = list(range(min(context, len(text) - 1), len(text), stride))
    if ends[-1] < len(text) - 1:
        ends.append(len(text) - 1)
    first, rest = ends[0], torch.tensor(ends[1:], dtype=torch.int64)
    window = text.windows(torch.tensor([0]), first + 1)
    yield _loss(model(window[:, :-1])[0], window[:, 1:]), first
    done = first
    for chosen in torch.split(rest, batch_size) if len(rest) else ():
        windows = text.windows(chosen - context, context + 1)
        logits = model(windows[:, :-1])[0]
        for row, end in enumerate(chosen.tolist()):
            new = end - done  # fewer for the last one
            yield _loss(logits[row : row + 1, -new:], windows[row : row + 1, -new:]), new
            done = end


def _loss(logits: Tensor, target: Tensor) -> float:
    return functional.cross_entropy(logits.float().flatten(0, 1), target.flatten(), reduction="sum").item()
