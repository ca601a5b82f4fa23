"""The conversation after an answer: exactly the text that the client got, with as much of it as possible already read."""

from collections import deque
from collections.abc import Collection
from typing import Any

from torch import Tensor

from ...data.text.detokenization import continuation
from ...data.text.tokenizers import encode
from ...generate import Conversation

_STATES = 32
"""Last states that are kept while an answer may end by a stop string, which takes back tokens."""


class Ending:
    """Record of an answer token by token, from which the conversation after it is made.

    An answer that ends by a stop string has tokens whose text the client does not get. The conversation then continues from the last
    token before that text.

    Args:
        tokenizer: tokenizer of the tokenizers library.
        before: last tokens before the answer, as for `TextStream`.
        read: number of tokens of the text before the answer.
        stops: whether the answer has stop strings.
        ends: tokens that end the answer. Without these and stop strings, only the last state is kept.
    """

    def __init__(self, tokenizer: Any, before: list[int], read: int, stops: bool, ends: Collection[int] = ()):
        self._tokenizer, self._before, self._read, self._ends = tokenizer, before, read, ends
        self._tokens, self._text = list[int](), ""
        self._states = deque[tuple[int, Tensor]](maxlen=_STATES if stops or ends else 1)
        self._first: Tensor | None = None

    def begin(self, state: Tensor) -> None:
        """Record the state before the answer.

        Args:
            state: state, [1, N].
        """
        self._first = state.clone()

    def note(self, state: Tensor, token: int, text: str, last: bool) -> None:
        """Record a token.

        Args:
            state: state before the token, [1, N].
            token: token id.
            text: text that became complete with it.
            last: whether the answer ends.
        """
        if self._first is None:
            self.begin(state)
        if self._states.maxlen != 1 or last:
            self._states.append((len(self._tokens), state.clone()))
        self._tokens.append(token)
        self._text += text

    def conversation(self, stopped: bool) -> Conversation:
        """Return the conversation after the answer.

        Args:
            stopped: whether a stop string or one of `ends` ended it.
        """
        kept, rest = self._kept() if stopped else (len(self._tokens), "")
        at, state = max(((at, state) for at, state in self._states if at <= kept), key=lambda pair: pair[0], default=(0, self._first))
        assert state is not None  # every answer has begun
        added = encode(self._tokenizer, [rest.encode()]).tolist() if rest else []
        return Conversation(state, (*self._tokens[at:kept], *added), self._read + at)

    def _kept(self) -> tuple[int, str]:
        """Return how many tokens have no text beyond that of the answer, and the text after them."""
        for count in range(len(self._tokens) - (self._tokens[-1] in self._ends), 0, -1):
            text = continuation(self._tokenizer, self._before, self._tokens[:count])
            if self._text.startswith(text):
                return count, self._text[len(text) :]
        return 0, self._text
