"""Scores of a language model on a text, in units that do not depend on its tokenizer."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..checks import expect_count
from ..core import detach
from ..data.text.corpora import read_text_file
from ..data.text.tokenizers import encode
from ..data.text.tokens import Tokens, counted
from ..errors import InputError


@dataclass(frozen=True)
class TextScores:
    """Negative log-likelihood of a whole text. The first token is not predicted, but its bytes, characters and word are counted."""

    nats: float
    """Sum over all tokens except the first."""
    tokens: int
    """Number of predicted tokens."""
    bits_per_byte: float
    bits_per_character: float | None
    """None if the text is not UTF-8."""
    word_perplexity: float
    """exp(nats / words), with words separated by spaces and the end of a line counted as a word, as for WikiText."""


def tokens_of(path: Path, tokenizer: Any, prefix: int | None = None) -> Tokens:
    """Read a text file as tokens, in memory.

    Args:
        path: file to read.
        tokenizer: tokenizer of the tokenizers library.
        prefix: token id that is put before the text, so that the first token of the text is predicted as well.
    Raises:
        OSError: the file is missing or not readable.
        InputError: the text is not UTF-8 and the tokenizer is not the byte tokenizer, or the prefix is not in the vocabulary.
    """
    text = tokens_in(read_text_file(path), tokenizer)
    if prefix is None:
        return text
    expect_count(prefix, f"[0, {tokenizer.get_vocab_size() - 1}]", "prefix_token")
    return replace(text, ids=np.concatenate([np.array([prefix], text.ids.dtype), text.ids]))


def tokens_in(document: bytes, tokenizer: Any) -> Tokens:
    """Return a text as tokens, in memory.

    Raises:
        InputError: the text is not UTF-8, and the tokenizer is not the byte tokenizer.
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
    """Score every token of a text given the tokens before it.

    Args:
        model: returns (logits [B, T, V], state) for tokens int64 [B, T] and a state, as `SpikeGPT`, in evaluation mode.
        text: text to score.
        context: length of windows, in tokens, each read from rest; None reads the text once and carries the state through it.
        stride: number of new tokens in each window, each with at least `context - stride` tokens before it; by default context / 2.
        batch_size: number of windows in one call.
        progress: called with the number of scored tokens and the total.
    Raises:
        InputError: the text is shorter than two tokens, or `context` or `stride` is out of range.
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
                f"logits: expected finite numbers, got a loss of {loss} after {done} tokens. Check whether the training diverged."
            )
        nats, done = nats + loss, done + count
        if progress is not None:
            progress(done, len(text) - 1)
    per_character = nats / math.log(2) / text.characters if text.characters else None
    word_perplexity = math.exp(min(nats / max(text.words, 1), 700.0))
    return TextScores(nats, done, nats / math.log(2) / text.n_bytes, per_character, word_perplexity)


_PIECE = 1024


@torch.no_grad()
def _carried(model: Any, text: Tokens) -> Iterator[tuple[float, int]]:
    """Score the text in one pass: the context of a token is all tokens before it."""
    state = None
    for start in range(0, len(text) - 1, _PIECE):
        length = min(_PIECE, len(text) - 1 - start)
        window = text.windows(torch.tensor([start]), length + 1)
        logits, state = model(window[:, :-1], state)
        state = detach(state)
        yield _loss(logits, window[:, 1:]), length


@torch.no_grad()
def _windows(model: Any, text: Tokens, context: int, stride: int, batch_size: int) -> Iterator[tuple[float, int]]:
    """Score overlapping windows from rest; after the first window only the last `stride` predictions of each count."""
    if context < 1:
        raise InputError(f"context: expected at least 1 token, got {context}. Choose a longer one.")
    if not 0 < stride <= context:
        raise InputError(f"stride: expected from 1 to the context of {context} tokens, got {stride}. Choose one inside.")
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
            new = end - done  # fewer in the last window
            yield _loss(logits[row : row + 1, -new:], windows[row : row + 1, -new:]), new
            done = end


def _loss(logits: Tensor, target: Tensor) -> float:
    return functional.cross_entropy(logits.float().flatten(0, 1), target.flatten(), reduction="sum").item()
