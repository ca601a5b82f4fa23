"""Tokenizers: bytes, characters, a published vocabulary, or one that is learned. The one place that imports tokenizers."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, MissingExtraError

_UNKNOWN = "<unk>"


def byte_tokenizer() -> Any:
    """The 256 bytes of UTF-8; the id of a byte is its value."""
    library = _library()
    alphabet = _byte_letters()
    tokenizer = library.Tokenizer(library.models.BPE({letter: byte for byte, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    return tokenizer


def character_tokenizer(text: str) -> Any:
    """The characters of a text, sorted; others become the last id."""
    library = _library()
    vocabulary = {character: i for i, character in enumerate(sorted(set(text)))}
    if not vocabulary:
        raise InputError("text: expected some characters to make a vocabulary of, got none.")
    vocabulary[_UNKNOWN] = len(vocabulary)
    tokenizer = library.Tokenizer(library.models.WordLevel(vocabulary, unk_token=_UNKNOWN))
    tokenizer.pre_tokenizer = library.pre_tokenizers.Split(library.Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = library.decoders.Fuse()
    return tokenizer


def word_tokenizer(texts: Iterable[str], size: int) -> Any:
    """The words and signs of texts in lower case, those that occur twice or more, the most frequent `size`; others become id 0."""
    library = _library()
    tokenizer = library.Tokenizer(library.models.WordLevel(unk_token=_UNKNOWN))
    tokenizer.normalizer = library.normalizers.Lowercase()
    tokenizer.pre_tokenizer = library.pre_tokenizers.Whitespace()
    trainer = library.trainers.WordLevelTrainer(vocab_size=size, min_frequency=2, special_tokens=[_UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def padding_token(tokenizer: Any) -> str:
    """A token that may fill up a batch, as masks leave it out: one made for that, the byte 0, or the one for all that is unknown."""
    vocabulary = tokenizer.get_vocab()
    return next(token for token in ("<|padding|>", "<pad>", _byte_letters()[0], _UNKNOWN) if token in vocabulary)


def learned_tokenizer(texts: Iterable[str], size: int) -> Any:
    """Byte pair encoding learned from texts, with `size` tokens; every text can be encoded."""
    library = _library()
    if size < 257:
        raise InputError(f"size: expected at least 257 tokens, the bytes and one more, got {size}.")
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    alphabet = library.pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(texts, library.trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False))
    return tokenizer


def read_tokenizer(path: Path) -> Any:
    """A `tokenizer.json`, such as that of GPT-NeoX-20B.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a tokenizer.json, but it is not there. Check the path.")
    try:
        return _library().Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises no narrower one
        raise InputError(f"{path}: expected a tokenizer of the tokenizers library, but it cannot be read ({error}).") from error


def encode(tokenizer: Any, documents: Sequence[bytes]) -> NDArray[np.uint32]:
    """The token ids of documents, one after the other, uint32 [N].

    Raises:
        ValueError: a document is no UTF-8, which only the tokenizer of bytes takes.
    """
    if is_bytes(tokenizer):
        return np.frombuffer(b"".join(documents), np.uint8).astype(np.uint32)
    parts = [np.array(found.ids, np.uint32) for text in documents for found in tokenizer.encode_batch(_pieces(as_text(text)))]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint32)


def is_bytes(tokenizer: Any) -> bool:
    """Whether a tokenizer is that of bytes."""
    if tokenizer.get_vocab_size() != 256:  # a large vocabulary is not copied for this
        return False
    vocabulary = tokenizer.get_vocab()
    return all(vocabulary.get(letter) == byte for byte, letter in enumerate(_byte_letters()))


def token_bytes(tokenizer: Any) -> Callable[[int], bytes]:
    """A function that gives the bytes of the text's tokens one after the other, for one text. A token may be a part of a character.

    Ids that the tokenizer does not know have no bytes.
    """
    decoders = _library().decoders
    if isinstance(tokenizer.decoder, decoders.ByteLevel):
        values = {letter: bytes([byte]) for byte, letter in enumerate(_byte_letters())}
        added: dict[int, bytes] = {i: token.content.encode() for i, token in tokenizer.get_added_tokens_decoder().items()}

        def of_letters(token: int) -> bytes:
            if token in added:
                return added[token]
            return b"".join(values.get(letter, letter.encode()) for letter in tokenizer.id_to_token(token) or "")

        return of_letters
    stream = decoders.DecodeStream(skip_special_tokens=False)
    return lambda token: (stream.step(tokenizer, token) or "").encode()


def as_text(document: bytes) -> str:
    """A document as characters.

    Raises:
        ValueError: it is no UTF-8; the place of the first wrong byte is named.
    """
    try:
        return document.decode()
    except UnicodeDecodeError as error:
        wrong = f"the byte {document[error.start]:#04x} at {error.start}"
        raise InputError(f"text: expected UTF-8, got {wrong}. Mend the file, or use the tokenizer of bytes.") from error


_BORDER = re.compile(r"\S\n(?=\S)")
"""A single line's end between words: tokenizers never join what stands on its two sides, and treat it alike at the end of a text."""


def _pieces(text: str) -> list[str]:
    """A long text in pieces, which the library encodes side by side."""
    pieces, start = [], 0
    while start < len(text):
        border = _BORDER.search(text, start + 20_000)
        end = border.end() if border else len(text)
        pieces.append(text[start:end])
        start = end
    return pieces


@cache
def _byte_letters() -> tuple[str, ...]:
    """The letter that stands for each byte in byte-level vocabularies, as GPT-2 has it: printable ones for themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return tuple(letters[byte] for byte in range(256))


def _library() -> Any:
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.normalizers
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError as missing:
        raise MissingExtraError("Text needs tokenizers, which is not installed: pip install dendrix[lm].") from missing
    return tokenizers
