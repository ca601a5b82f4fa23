"""Tokenizers of bytes, characters and words, and byte pair encoding, read or trained. The only module that imports tokenizers."""

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.files import read_bytes
from ...core.limits import expect_within
from ...errors import InputError, MissingExtraError

_UNKNOWN = "<unk>"


def byte_tokenizer() -> Any:
    """Create a tokenizer of single bytes of UTF-8; the id of a byte is its value."""
    library = _library()
    alphabet = byte_letters()
    tokenizer = library.Tokenizer(library.models.BPE({letter: byte for byte, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    return tokenizer


def character_tokenizer(text: str) -> Any:
    """Create a tokenizer of single characters.

    Args:
        text: text whose sorted characters are the vocabulary; other characters get the last id, `<unk>`.
    Raises:
        InputError: the text is empty.
    """
    library = _library()
    vocabulary = {character: i for i, character in enumerate(sorted(set(text)))}
    if not vocabulary:
        raise InputError("text: expected at least one character for the vocabulary, got none. Use a longer text.")
    vocabulary[_UNKNOWN] = len(vocabulary)
    tokenizer = library.Tokenizer(library.models.WordLevel(vocabulary, unk_token=_UNKNOWN))
    tokenizer.pre_tokenizer = library.pre_tokenizers.Split(library.Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = library.decoders.Fuse()
    return tokenizer


def word_tokenizer(texts: Iterable[str], size: int) -> Any:
    """Train a tokenizer of lower-case words and punctuation.

    Args:
        texts: training texts.
        size: largest size of the vocabulary: the most frequent words that occur at least twice; others get id 0, `<unk>`.
    """
    library = _library()
    tokenizer = library.Tokenizer(library.models.WordLevel(unk_token=_UNKNOWN))
    tokenizer.normalizer = library.normalizers.Lowercase()
    tokenizer.pre_tokenizer = library.pre_tokenizers.Whitespace()
    trainer = library.trainers.WordLevelTrainer(vocab_size=size, min_frequency=2, special_tokens=[_UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


RESERVED = {"eos_token": "<|endoftext|>", "pad_token": "<|padding|>"}
"""Names of the special tokens of a tokenizer that has none. They get ids beyond its vocabulary: models neither read nor write them."""
_SPECIAL = {
    "bos_token": ("<s>", "<bos>", "<|endoftext|>"),
    "eos_token": ("</s>", "<eos>", "<|endoftext|>"),
    "pad_token": ("<pad>", "[PAD]", "<|padding|>"),
}


def special_tokens(tokenizer: Any) -> dict[str, str]:
    """Return the special tokens of a tokenizer by their names in transformers; none that text could contain, such as single bytes.

    Args:
        tokenizer: tokenizer of the tokenizers library.
    """
    own = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    found = {name: next((token for token in usual if token in own), None) for name, usual in _SPECIAL.items()}
    return {name: token for name, token in found.items() if token is not None}


def learned_tokenizer(texts: Iterable[str], size: int) -> Any:
    """Train byte-level byte pair encoding, which can encode any text.

    Args:
        texts: training texts.
        size: size of the vocabulary, at least 257.
    Raises:
        InputError: `size` is below 257.
    """
    library = _library()
    if size < 257:
        raise InputError(f"size: expected at least 257 tokens (256 bytes and one merge), got {size}. Use the byte tokenizer for 256.")
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    alphabet = library.pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(texts, library.trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False))
    return tokenizer


def piece_tokenizer(texts: Iterable[str], size: int) -> Any:
    """Train word pieces: lower-case words, rare ones in several pieces, and punctuation. Spaces and capitals are lost.

    Args:
        texts: training texts.
        size: size of the vocabulary, with id 0 for `<unk>`, a word with a character that the texts do not have.
    Source: the tokenizer of BERT, uncased (Devlin et al., arXiv 1810.04805), trained by pair frequency.
    """
    library = _library()
    tokenizer = library.Tokenizer(library.models.WordPiece(unk_token=_UNKNOWN))
    tokenizer.normalizer = library.normalizers.Lowercase()
    tokenizer.pre_tokenizer = library.pre_tokenizers.Whitespace()
    tokenizer.decoder = library.decoders.WordPiece(cleanup=False)
    tokenizer.train_from_iterator(texts, library.trainers.WordPieceTrainer(vocab_size=size, special_tokens=[_UNKNOWN], show_progress=False))
    return tokenizer


def read_tokenizer(path: Path) -> Any:
    """Read a `tokenizer.json`, such as that of GPT-NeoX-20B.

    Args:
        path: file to read.
    Raises:
        FileNotFoundError: the file does not exist.
        InputError: the file is not a tokenizer.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a tokenizer.json, but it does not exist. Check the path.")
    try:
        return _library().Tokenizer.from_str(read_bytes(path).decode())
    except MissingExtraError:
        raise
    except Exception as error:  # the library raises only Exception
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: expected a tokenizer of the tokenizers library, but it cannot be read ({reason}). Check the path."
        ) from error


def within(tokenizer: Any, size: int) -> Any:
    """Return a tokenizer without the added tokens that its model does not have, such as the `RESERVED` ones that `save_pretrained` of
    transformers writes to its file.

    Args:
        tokenizer: tokenizer of the tokenizers library.
        size: size of the vocabulary of the model.
    """
    if all(i < size for i in tokenizer.get_added_tokens_decoder()):
        return tokenizer
    described = json.loads(tokenizer.to_str())
    described["added_tokens"] = [token for token in described["added_tokens"] if token["id"] < size]
    return _library().Tokenizer.from_str(json.dumps(described))


def encode(tokenizer: Any, documents: Sequence[bytes], *, special: bool = True) -> NDArray[np.uint32]:
    """Tokenize documents and concatenate the result.

    Args:
        tokenizer: tokenizer of the tokenizers library.
        documents: texts as bytes.
        special: add the tokens with which the tokenizer begins or ends a text, if it has any.
    Returns:
        token ids, uint32 [N].
    Raises:
        InputError: a document is not UTF-8 and the tokenizer is not that of bytes.
    """
    if is_bytes(tokenizer):
        expect_within(sum(map(len, documents)), "tokens", "text")
        return np.frombuffer(b"".join(documents), np.uint8).astype(np.uint32)
    framed = special and tokenizer.num_special_tokens_to_add(False) > 0
    parts = []
    for text in documents:
        found = tokenizer.encode_batch(_pieces(as_text(text)), add_special_tokens=False)
        if framed and found:
            found = [tokenizer.post_process(_library().Encoding.merge(found))]  # the text gets these tokens, not each piece of it
        parts += [np.array(piece.ids, np.uint32) for piece in found]
    expect_within(sum(map(len, parts)), "tokens", "text")
    return np.concatenate(parts) if parts else np.zeros(0, np.uint32)


def is_bytes(tokenizer: Any) -> bool:
    """Return whether a tokenizer is that of `byte_tokenizer`."""
    if tokenizer.get_vocab_size() != 256:  # avoids copying a large vocabulary
        return False
    vocabulary = tokenizer.get_vocab()
    return all(vocabulary.get(letter) == byte for byte, letter in enumerate(byte_letters()))


def is_byte_level(tokenizer: Any) -> bool:
    """Return whether every token of a tokenizer is some bytes of UTF-8, wherever it stands.

    Args:
        tokenizer: tokenizer of the tokenizers library.
    """
    return isinstance(tokenizer.decoder, _library().decoders.ByteLevel)


def as_text(document: bytes) -> str:
    """Decode a document from UTF-8.

    Args:
        document: text as bytes.
    Raises:
        InputError: the document is not UTF-8; the message gives the position of the first invalid byte.
    """
    try:
        return document.decode()
    except UnicodeDecodeError as error:
        wrong = f"the byte {document[error.start]:#04x} at {error.start}"
        raise InputError(f"text: expected UTF-8, got {wrong}. Repair the file, or use the byte tokenizer.") from error


_BORDER = re.compile(r"\S\n(?=\S)")
"""A single line end between words, where a text can be split: no tokenizer merges across it, and its tokens are the same at the end of a
text."""


def _pieces(text: str) -> list[str]:
    """Split a long text into pieces, which the library encodes in parallel."""
    pieces, start = [], 0
    while start < len(text):
        border = _BORDER.search(text, start + 20_000)
        end = border.end() if border else len(text)
        pieces.append(text[start:end])
        start = end
    return pieces


@cache
def byte_letters() -> tuple[str, ...]:
    """Return the character of each byte in the byte-level vocabulary of GPT-2; printable bytes represent themselves."""
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
    except Exception as missing:
        raise MissingExtraError.of("Text needs", "tokenizers", "lm", missing) from missing
    return tokenizers
