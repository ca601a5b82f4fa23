"""A request while it is answered: its prompts, its answers, and the way their text takes from the scheduler's thread to the event loop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from ..generate import Sampling, TextStream


class Piece(NamedTuple):
    """Some text of an answer: all that one token made sure."""

    answer: int
    """Its number in the request."""
    text: str
    finish: str | None = None
    """Why nothing follows: "stop" or "length"."""


@dataclass
class Answer:
    """One answer while it is written."""

    index: int
    sampling: Sampling
    generator: torch.Generator | None
    """Random numbers of its own, for a seed that the client gave."""
    text: TextStream
    most: int
    """Tokens that it may have."""
    tokens: int = 0
    """Tokens that it has."""
    newest: int = -1
    """The last of them, which the model has not read yet."""
    finish: str | None = None
    """As in `Piece`."""

    def add(self, token: int) -> Piece:
        """Take the next token."""
        self.newest, self.tokens = token, self.tokens + 1
        text = self.text.push(token)
        if self.text.stopped:
            self.finish = "stop"
        elif self.tokens == self.most:
            text, self.finish = text + self.text.finish(), "length"
        return Piece(self.index, text, self.finish)


@dataclass(frozen=True)
class Prompt:
    """A prompt and the answers that follow it."""

    tokens: list[int]
    answers: list[Answer]


@dataclass(eq=False)
class Job:
    """All answers to one request. One thread writes, the event loop reads; each counts for itself, so no lock is needed."""

    prompts: Sequence[Prompt]
    cancelled: bool = False
    """The reader wants no more."""
    written: int = 0
    """Pieces so far."""
    taken: int = 0
    """How many of them the reader has."""
    _pieces: asyncio.Queue[Piece | Exception] = field(default_factory=asyncio.Queue)

    @property
    def answers(self) -> list[Answer]:
        """Of all prompts, in their order."""
        return [answer for prompt in self.prompts for answer in prompt.answers]

    @property
    def unread(self) -> int:
        """Pieces that the reader does not have yet."""
        return self.written - self.taken

    def put(self, piece: Piece | Exception) -> None:
        """Lay a piece, or the reason why none will follow, ready for the reader. Call it in the event loop."""
        self._pieces.put_nowait(piece)

    async def read(self) -> AsyncIterator[list[Piece]]:
        """The pieces of all answers as they come, several at a time where the reader is slow, until every answer is finished.

        Raises:
            Exception: what was put instead of a piece.
        """
        unfinished = len(self.answers)
        while unfinished:
            pieces = [await self._pieces.get()]
            while not self._pieces.empty():
                pieces.append(self._pieces.get_nowait())
            self.taken += len(pieces)
            unfinished -= sum(isinstance(piece, Piece) and piece.finish is not None for piece in pieces)
            for piece in pieces:
                if isinstance(piece, Exception):
                    raise piece
            yield [piece for piece in pieces if isinstance(piece, Piece)]


Output = tuple[Job, Piece | Exception]
"""What a job's reader gets next."""
