"""Incremental detokenization: complete characters only, ending before the first stop string."""

from collections.abc import Sequence
from typing import Any

from ..data.text.detokenization import decoding
from ..errors import InputError


class TextStream:
    """Incremental decoder of tokens to text.

    Bytes of an incomplete character are held back until it is complete; invalid UTF-8 decodes to U+FFFD. Text that may be the beginning of
    a stop string is held back until it cannot be one. A stop string and the text after it are never returned.

    Args:
        tokenizer: tokenizer of the tokenizers library.
        stops: strings that end the text, across token boundaries.
        before: tokens before the text, such as those of the prompt: they decide whether a blank stands between.
    Raises:
        InputError: a stop string is empty.
    """

    def __init__(self, tokenizer: Any, stops: Sequence[str] = (), before: Sequence[int] = ()):
        if "" in stops:
            raise InputError("stops: expected non-empty strings, got an empty one. Remove it.")
        self.stops = tuple(stops)
        self.stopped = False
        """True after a stop string; no more text is returned then."""
        self.decoded = 0
        """Number of characters that were decoded, including those that are held back."""
        self._decoding = decoding(tokenizer, before)
        self._waiting = ""

    def push(self, token: int) -> str:
        """Add a token; returns the text that is now complete, which may be empty.

        Args:
            token: token id; unknown ids have no text.
        """
        if self.stopped:
            return ""
        return self._release(self._decoding.push(token), final=False)

    def finish(self) -> str:
        """End the text; returns the text that was held back."""
        if self.stopped:
            return ""
        return self._release(self._decoding.finish(), final=True)

    def _release(self, new: str, final: bool) -> str:
        self.decoded += len(new)
        text = self._waiting + new
        # The stop string that is complete first ends the text; of several complete at once, the longest.
        found = [(at + len(stop), at) for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped, self._waiting = True, ""
            return text[: min(found)[1]]
        kept = 0 if final else max((_overlap(text, stop) for stop in self.stops), default=0)
        self._waiting = text[len(text) - kept :]
        return text[: len(text) - kept]


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest suffix of the text that is a proper prefix of the stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
