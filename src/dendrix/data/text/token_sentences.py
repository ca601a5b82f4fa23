"""Labelled sentences as token ids."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ...errors import InputError
from ..base import Batch, Hash, collate
from .sentences import Sentences


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

    def subset(self, index: Tensor) -> "TokenSentences":
        """The items `index`, int64 [M] or bool [N], in that order."""
        chosen = index.nonzero().flatten() if index.dtype == torch.bool else index
        return replace(self, x=tuple(self.x[i] for i in chosen.tolist()), y=self.y[chosen])

    def batches(self, size: int = 64, *, tail_steps: int = 0) -> Iterable[Batch]:
        """All sentences in their order, padded at the end; a sentence has no tail."""
        return DataLoader(self, size, collate_fn=collate)  # type: ignore[arg-type]

    def hash_into(self, digest: Hash) -> None:
        """Add all tokens and classes to a digest."""
        for tokens, label in zip(self.x, self.y.tolist(), strict=True):
            digest.update(f"{label} {tokens.tolist()}\n".encode())


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
            split.hash_into(digest)
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
