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
    """Labelled token sequences. `sentences[i]` is the pair (tokens int64 [T_i], class []), the input of `collate`."""

    x: tuple[Tensor, ...]
    """Token ids of each sentence, int64 [T_i]."""
    y: Tensor
    """Class of each sentence, int64 [N]."""
    labels: tuple[str, ...]
    """Names of the K classes."""
    dt_ms: ClassVar[None] = None
    """None: tokens have no duration."""

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]


class TokenSplits(NamedTuple):
    """Training, validation and test split. Choose hyperparameters on `valid`; use `test` only for the reported result."""

    train: TokenSentences
    valid: TokenSentences
    test: TokenSentences
    tokenizer: Any
    """Tokenizer of the tokenizers library."""

    def fingerprint(self) -> str:
        """Return the SHA-256 of the training and validation tokens, their classes, and the vocabulary."""
        digest = hashlib.sha256(json.dumps(self.tokenizer.get_vocab(), sort_keys=True).encode())
        for split in (self.train, self.valid):
            for tokens, label in zip(split.x, split.y.tolist(), strict=True):
                digest.update(f"{label} {tokens.tolist()}\n".encode())
        return digest.hexdigest()


def encoded_sentences(sentences: Sentences, tokenizer: Any, max_tokens: int) -> TokenSentences:
    """Tokenize sentences, truncated to `max_tokens`.

    Args:
        sentences: labelled sentences.
        tokenizer: tokenizer of the tokenizers library.
        max_tokens: largest number of tokens per sentence, at least 1.
    Raises:
        InputError: a sentence has no token.
    """
    x = tuple(torch.tensor(found.ids[:max_tokens], dtype=torch.int64) for found in tokenizer.encode_batch(list(sentences.texts)))
    if empty := [i for i, tokens in enumerate(x) if not len(tokens)]:
        raise InputError(f"text: expected a token in every sentence, but {sentences.texts[empty[0]]!r} has none. Remove it.")
    return TokenSentences(x, sentences.y, sentences.labels)


def sentence_batches(sentences: TokenSentences, chosen: Iterable[int] | None = None) -> DataLoader[Any]:
    """Create a DataLoader of padded batches, `Batch`, in order.

    Args:
        sentences: token sequences.
        chosen: indices of the sentences; None takes all.
    """
    order = list(range(len(sentences)) if chosen is None else chosen)
    cut = [order[first : first + _AT_ONCE] for first in range(0, len(order), _AT_ONCE)]
    return DataLoader(sentences, batch_sampler=cut, collate_fn=collate)  # type: ignore[arg-type]
