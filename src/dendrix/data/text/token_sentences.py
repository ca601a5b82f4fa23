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

    def subset(self, index: Tensor) -> "TokenSentences":
        """Return the items `index`, int64 [M] or bool [N], in that order."""
        chosen = index.nonzero().flatten() if index.dtype == torch.bool else index
        return replace(self, x=tuple(self.x[i] for i in chosen.tolist()), y=self.y[chosen])

    def batches(self, size: int = 64, *, tail_steps: int = 0) -> Iterable[Batch]:
        """Return batches of all sentences in order, padded at the end; sentences have no tail."""
        return DataLoader(self, size, collate_fn=collate)  # type: ignore[arg-type]

    def hash_into(self, digest: Hash) -> None:
        """Add all tokens and classes to a digest."""
        for tokens, label in zip(self.x, self.y.tolist(), strict=True):
            digest.update(f"{label} {tokens.tolist()}\n".encode())


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
            split.hash_into(digest)
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
