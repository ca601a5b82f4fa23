"""Tokenized corpora in memory-mapped files, which may be larger than the memory."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core import expect
from ...core.files import read_json, write_atomic, write_json
from ...errors import InputError
from ...folders import cache_folder
from .corpora import Corpus
from .tokenizers import encode

_VERSION = 3
"""Increment it when the files of the same text and tokenizer change."""
_FACTS = "facts.json"


@dataclass(frozen=True)
class Tokens:
    """One split of a tokenized text, with the sizes of the text, by which losses are converted to per byte, per character and per word."""

    ids: NDArray[Any]
    """Token ids, uint16 or uint32 [N], memory-mapped."""
    n_bytes: int
    """Number of bytes in UTF-8."""
    characters: int
    """Number of characters; 0 if the text is not UTF-8."""
    words: int
    """Number of words between spaces plus number of line ends, the convention of WikiText."""

    def __len__(self) -> int:
        return len(self.ids)

    def windows(self, starts: Tensor, length: int) -> Tensor:
        """Return windows of tokens.

        Args:
            starts: position of the first token of each window, int64 [B].
            length: number of tokens per window.
        Returns:
            token ids, int64 [B, length].
        Raises:
            InputError: a window extends beyond the text.
        """
        expect(starts, "B", "starts")
        last = len(self.ids) - length
        if int(starts.min()) < 0 or int(starts.max()) > last:
            raise InputError(
                f"starts: expected 0 to {last}, got {int(starts.min())} to {int(starts.max())}. The text has {len(self)} tokens."
            )
        return torch.from_numpy(np.stack([self.ids[start : start + length] for start in starts.tolist()]).astype(np.int64))


class TextSplits(NamedTuple):
    """A tokenized corpus. Choose hyperparameters on `valid`; use `test` only for the reported result."""

    train: Tokens
    valid: Tokens
    test: Tokens
    tokenizer: Any
    """Tokenizer of the tokenizers library."""

    def fingerprint(self) -> str:
        """Return the SHA-256 of the training and validation tokens and the vocabulary."""
        digest = hashlib.sha256(json.dumps(self.tokenizer.get_vocab(), sort_keys=True).encode())
        for tokens in (self.train, self.valid):
            digest.update(np.ascontiguousarray(tokens.ids).data)
        return digest.hexdigest()


def tokenised(text: Corpus, tokenizer: Any, folder: Path | None = None) -> TextSplits:
    """Tokenize a corpus, or reuse the files of an earlier call with the same text and tokenizer.

    Args:
        text: the corpus.
        tokenizer: tokenizer of the tokenizers library.
        folder: folder of the files; None takes a folder in the cache, named by the hash of the text and the tokenizer.
    Raises:
        InputError: the text is not UTF-8 and the tokenizer is not that of bytes.
        OSError: the folder cannot be written.
    """
    described = tokenizer.to_str()
    splits = {name: getattr(text, name) for name in ("train", "valid", "test")}
    digest = hashlib.sha256(f"{_VERSION} {described}".encode())
    for documents in splits.values():
        digest.update(f"{[len(document) for document in documents]}".encode())
        for document in documents:
            digest.update(document)
    place = folder or cache_folder() / f"text-{digest.hexdigest()[:32]}"
    if not (place / _FACTS).is_file():
        place.mkdir(parents=True, exist_ok=True)
        facts = {name: _write(place / f"{name}.bin", documents, tokenizer) for name, documents in splits.items()}
        write_json(place / _FACTS, {"sha256": digest.hexdigest(), **facts})  # written last: its presence marks the folder as complete
    train, valid, test = _read(place)
    return TextSplits(train, valid, test, tokenizer)


def counted(documents: Sequence[bytes]) -> dict[str, int]:
    """Count the bytes, characters and words of a text, as in `Tokens`.

    Args:
        documents: text as bytes.
    """
    text = b"".join(documents)
    try:
        characters = len(text.decode())
    except UnicodeDecodeError:
        characters = 0
    return {"n_bytes": len(text), "characters": characters, "words": len(text.split()) + text.count(b"\n")}


def _write(path: Path, documents: Sequence[bytes], tokenizer: Any) -> dict[str, Any]:
    ids = encode(tokenizer, documents)
    small = tokenizer.get_vocab_size() <= 2**16
    write_atomic(path, ids.astype("<u2" if small else "<u4").tobytes())
    return {"dtype": "<u2" if small else "<u4", **counted(documents)}


def _read(folder: Path) -> list[Tokens]:
    facts = read_json(folder / _FACTS)
    found = []
    for name in ("train", "valid", "test"):
        about = facts[name]
        ids = np.memmap(folder / f"{name}.bin", about["dtype"], mode="r")
        found.append(Tokens(ids, about["n_bytes"], about["characters"], about["words"]))
    return found
