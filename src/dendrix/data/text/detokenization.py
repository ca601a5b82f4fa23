"""Incremental decoding of tokens to text, in the context of the tokens before them."""

import codecs
import re
from collections.abc import Sequence
from typing import Any, Protocol

from .tokenizers import byte_letters, is_byte_level

_CONTEXT = 8
"""Tokens before the next one that are decoded with it: a decoder may join words, or strip the blank of a first one."""
_FALLBACK = re.compile("<0x([0-9A-F]{2})>")
"""Token of a single byte in vocabularies of Llama."""
_HELD = 4
"""Tokens that may be held back for an incomplete character, which has at most four bytes."""


class Decoding(Protocol):
    """Incremental decoding of one text."""

    def push(self, token: int) -> str:
        """Add a token; returns the characters that are now complete. Unknown ids have no text."""

    def finish(self) -> str:
        """End the text; returns the rest, with U+FFFD for an incomplete character."""


def decoding(tokenizer: Any, before: Sequence[int] = ()) -> Decoding:
    """Start to decode tokens one by one.

    Args:
        tokenizer: tokenizer of the tokenizers library.
        before: preceding tokens, such as those of the prompt; their text is not returned.
    """
    if not is_byte_level(tokenizer):
        return _Joined(tokenizer, before)
    found = _Bytes(tokenizer)
    for token in before[-_HELD:]:
        found.push(token)
    return found


def continuation(tokenizer: Any, before: Sequence[int], tokens: Sequence[int]) -> str:
    """Decode the tokens that follow others.

    Args:
        tokenizer: tokenizer of the tokenizers library.
        before: the tokens before.
        tokens: those to decode.
    """
    text = decoding(tokenizer, before)
    return "".join(map(text.push, tokens)) + text.finish()


class TokenBytes:
    """Bytes of single tokens, where they follow another token: `TokenBytes(tokenizer)(token)`.

    Args:
        tokenizer: tokenizer of the tokenizers library.
    """

    def __init__(self, tokenizer: Any):
        self._tokenizer, self._is_byte_level = tokenizer, is_byte_level(tokenizer)
        self._values = {letter: bytes([byte]) for byte, letter in enumerate(byte_letters())}
        self._known: dict[int, bytes] = {i: token.content.encode() for i, token in tokenizer.get_added_tokens_decoder().items()}

    def __call__(self, token: int) -> bytes:
        """Return the bytes of a token, none for unknown ids."""
        if token not in self._known:
            self._known[token] = self._found(token)
        return self._known[token]

    def _found(self, token: int) -> bytes:
        name = self._tokenizer.id_to_token(token) or ""
        if self._is_byte_level:
            return b"".join(self._values.get(letter, letter.encode()) for letter in name)
        # A token behind itself keeps the blank that decoders strip from a first one.
        once, twice = (self._tokenizer.decode([token] * count, skip_special_tokens=False) for count in (1, 2))
        text: str = twice[len(once) :]
        if "\ufffd" in text and (byte := _FALLBACK.fullmatch(name)):
            return bytes([int(byte[1], 16)])
        return text.encode()


class _Bytes:
    """Decoding of byte-level tokens, whose bytes do not depend on their position."""

    def __init__(self, tokenizer: Any):
        self._bytes_of = TokenBytes(tokenizer)
        self._characters = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        return self._characters.decode(self._bytes_of(token))

    def finish(self) -> str:
        return self._characters.decode(b"", final=True)


class _Joined:
    """Decoding by the tokenizer's own decoder, whose text of a token depends on those around it."""

    def __init__(self, tokenizer: Any, before: Sequence[int]):
        self._tokenizer, self._context = tokenizer, list(before[-_CONTEXT:])
        self._new: list[int] = []

    def push(self, token: int) -> str:
        self._new.append(token)
        return self._release(final=False)

    def finish(self) -> str:
        return self._release(final=True) if self._new else ""

    def _release(self, final: bool) -> str:
        known, whole = self._decoded(self._context), self._decoded(self._context + self._new)
        if whole.endswith("\ufffd") and len(self._new) < _HELD and not final:
            return ""
        # A decoder may change text that has already been returned, such as "n ' t" to "n't". Then the new tokens are decoded alone.
        text = whole[len(known) :] if whole.startswith(known) else self._decoded(self._new)
        self._context, self._new = [*self._context, *self._new][-_CONTEXT:], []
        return text

    def _decoded(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=False)
        return text
