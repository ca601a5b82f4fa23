"""Labelled sentences as token ids."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ...errors import InputError
from ..base import collate
from .sentences import Sentences

_AT_ONCE = 64


@dataclass(frozen=True)
class TokenSentences:
    """Labelled sequences of tokens. `sentences[i]` is a pair (tokens int64 [T_i], class []), as `collate` takes it."""

    x: tuple[Tensor, ...]
    y: Tensor
    """int64 [N]"""
    labels: tuple[str, ...]
    """The names of the K classes."""
    dt_ms: ClassVar[None] = None
    """A token has no length in time."""

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]


class TokenSplits(NamedTuple):
    """The three parts of a data set. Choose settings on `valid`; `test` is for the figure that is reported."""

    train: TokenSentences
    valid: TokenSentences
    test: TokenSentences
    tokenizer: Any
    """Of the tokenizers library."""

    def fingerprint(self) -> str:
        """The SHA-256 of the training and validation tokens, their classes, and the vocabulary."""
        digest = hashlib.sha256(json.dumps(self.tokenizer.get_vocab(), sort_keys=True).encode())
        for split in (self.train, self.valid):
            for tokens, label in zip(split.x, split.y.tolist(), strict=True):
                digest.update(f"{label} {tokens.tolist()}\n".encode())
        return digest.hexdigest()


def encoded_sentences(sentences: Sentences, tokenizer: Any, max_tokens: int) -> TokenSentences:
    """The tokens of sentences; of a longer one, its first `max_tokens`.

    Args:
        sentences: what to encode.
        tokenizer: of the tokenizers library.
        max_tokens: at least 1.
    Raises:
        ValueError: a sentence has no token.
    """
    x = tuple(torch.tensor(found.ids[:max_tokens], dtype=torch.int64) for found in tokenizer.encode_batch(list(sentences.texts)))
    if empty := [i for i, tokens in enumerate(x) if not len(tokens)]:
        raise InputError(f"text: expected a token in every sentence, but {sentences.texts[empty[0]]!r} has none. Leave it out.")
    return TokenSentences(x, sentences.y, sentences.labels)


def sentence_batches(sentences: TokenSentences, chosen: Iterable[int] | None = None) -> DataLoader[Any]:
    """Sentences in their order, padded at the end, as `Batch`; all of them or those `chosen`."""
    order = list(range(len(sentences)) if chosen is None else chosen)
    cut = [order[first : first + _AT_ONCE] for first in range(0, len(order), _AT_ONCE)]
    return DataLoader(sentences, batch_sampler=cut, collate_fn=collate)  # type: ignore[arg-type]
