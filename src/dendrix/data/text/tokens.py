"""A corpus as token ids on disk, mapped into memory: it may be larger than that."""

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
from ..cache import cache_folder
from .corpora import Corpus
from .tokenizers import encode

_VERSION = 1
"""Raise it when the same text and tokenizer give other files."""
_FACTS = "facts.json"


@dataclass(frozen=True)
class Tokens:
    """One split of a text. Sizes are those of the text, so that scores can be given per byte, per character and per word."""

    ids: NDArray[Any]
    """uint16 or uint32 [N], mapped from a file."""
    bytes: int
    """Of UTF-8."""
    characters: int
    """0 where the text is no UTF-8."""
    words: int
    """Between spaces, and one for each line's end: how WikiText is counted."""

    def __len__(self) -> int:
        return len(self.ids)

    def windows(self, starts: Tensor, length: int) -> Tensor:
        """The tokens from each of the `starts` [B] on, int64 [B, length]."""
        expect(starts, "B", "starts")
        last = len(self.ids) - length
        if int(starts.min()) < 0 or int(starts.max()) > last:
            raise InputError(
                f"starts: expected 0 to {last}, got {int(starts.min())} to {int(starts.max())}. The text has {len(self)} tokens."
            )
        return torch.from_numpy(np.stack([self.ids[start : start + length] for start in starts.tolist()]).astype(np.int64))


class TextSplits(NamedTuple):
    """A corpus as tokens. Choose settings on `valid`; `test` is for the figure that is reported."""

    train: Tokens
    valid: Tokens
    test: Tokens
    tokenizer: Any
    """Of the tokenizers library."""

    def fingerprint(self) -> str:
        """The SHA-256 of the training and validation tokens and the vocabulary."""
        digest = hashlib.sha256(json.dumps(self.tokenizer.get_vocab(), sort_keys=True).encode())
        for tokens in (self.train, self.valid):
            digest.update(np.ascontiguousarray(tokens.ids).data)
        return digest.hexdigest()


def tokenised(text: Corpus, tokenizer: Any, folder: Path | None = None) -> TextSplits:
    """The tokens of a corpus; what has been encoded before is found again.

    Args:
        text: the corpus.
        tokenizer: of the tokenizers library.
        folder: where the files go; None takes a folder in the cache, named by what is in it.
    Raises:
        ValueError: a text is no UTF-8 and the tokenizer is not that of bytes.
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
        write_json(place / _FACTS, {"sha256": digest.hexdigest(), **facts})  # last: its presence says that all is there
    train, valid, test = _read(place)
    return TextSplits(train, valid, test, tokenizer)


def counted(documents: Sequence[bytes]) -> dict[str, int]:
    """Bytes, characters and words of a text."""
    text = b"".join(documents)
    try:
        characters = len(text.decode())
    except UnicodeDecodeError:
        characters = 0
    return {"bytes": len(text), "characters": characters, "words": len(text.split()) + text.count(b"\n")}


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
        found.append(Tokens(ids, about["bytes"], about["characters"], about["words"]))
    return found
