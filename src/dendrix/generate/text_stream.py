"""Text as it may be shown while its tokens come: whole characters only, and nothing of what a stop string ends."""

import codecs
from collections.abc import Sequence
from typing import Any

from ..data.text.tokenizers import token_bytes
from ..errors import InputError


class TextStream:
    """The text of a growing list of tokens.

    A character that lacks bytes waits for them; bytes that can be none become U+FFFD. What may be the beginning of a stop string waits
    until it is sure that it is not; a stop string itself and what follows it are never given.

    Args:
        tokenizer: of the tokenizers library.
        stops: strings that end the text, wherever token borders fall.
    Raises:
        ValueError: a stop string is empty.
    """

    def __init__(self, tokenizer: Any, stops: Sequence[str] = ()):
        if "" in stops:
            raise InputError("stops: expected strings that can occur, got an empty one. Leave it out.")
        self.stops = tuple(stops)
        self.stopped = False
        """Whether a stop string has come; nothing more is given then."""
        self._bytes_of = token_bytes(tokenizer)
        self._characters = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._waiting = ""

    def push(self, token: int) -> str:
        """Take one more token and give the text that is now sure, often none."""
        if self.stopped:
            return ""
        return self._release(self._characters.decode(self._bytes_of(token)), final=False)

    def finish(self) -> str:
        """No token follows: give what still waited."""
        if self.stopped:
            return ""
        return self._release(self._characters.decode(b"", final=True), final=True)

    def _release(self, new: str, final: bool) -> str:
        text = self._waiting + new
        # Of all stop strings the one counts that is complete first; of those complete at once, the longest.
        found = [(at + len(stop), at) for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped, self._waiting = True, ""
            return text[: min(found)[1]]
        kept = 0 if final else max((_overlap(text, stop) for stop in self.stops), default=0)
        self._waiting = text[len(text) - kept :]
        return text[: len(text) - kept]


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of the text that a stop string begins with."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
