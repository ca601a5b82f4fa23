"""Jobs: the prompts and answers of a request, and the transfer of text from the thread of the scheduler to the event loop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from ..generate import Sampler, TextStream, TokenScore
from .sessions.ending import Ending
from .sessions.prefixes import Trail
from .sessions.record import Session


class Placed(NamedTuple):
    """Log-probabilities of a token, and its place in the text."""

    score: TokenScore
    offset: int
    """Number of characters before the token, in the text that was decoded with it."""


class Piece(NamedTuple):
    """Text of an answer that became complete with one token."""

    answer: int
    """Index of the answer in the request."""
    text: str
    finish: str | None = None
    """Reason for the end of the answer, "stop" or "length"; None if it continues."""
    scores: tuple[Placed, ...] = ()
    """The token, if log-probabilities were requested. Its text may belong to a later piece."""


@dataclass
class Answer:
    """One answer during its generation."""

    index: int
    sampler: Sampler
    text: TextStream
    most: int
    """Largest number of tokens."""
    top: int | None = None
    """Number of most likely tokens to return for each token; None returns no log-probabilities."""
    tokens: int = 0
    """Number of tokens so far."""
    newest: int = -1
    """Last token, not yet read by the model."""
    finish: str | None = None
    """As in `Piece`."""
    ending: Ending | None = None
    """Records the state at the end of the answer, for a session."""

    def add(self, token: int, score: TokenScore | None = None) -> Piece:
        """Append a token; returns the text that became complete.

        Args:
            token: token id.
            score: its log-probabilities, if requested.
        """
        self.newest, self.tokens = token, self.tokens + 1
        scores = () if score is None else (Placed(score, self.text.decoded),)
        if token in self.sampler.ends:
            text, self.finish = self.text.finish(), "stop"
        else:
            text = self.text.push(token)
            if self.text.stopped:
                self.finish = "stop"
            elif self.tokens == self.most:
                text, self.finish = text + self.text.finish(), "length"
        return Piece(self.index, text, self.finish, scores)

    def end(self) -> Piece:
        """End an answer of no tokens."""
        self.finish = "length"
        return Piece(self.index, "", self.finish)


@dataclass(frozen=True)
class Prompt:
    """A prompt and its answers."""

    tokens: list[int]
    answers: list[Answer]
    top: int | None = None
    """Number of most likely tokens to return for each token of the prompt; None returns no log-probabilities."""
    scores: list[TokenScore] = field(default_factory=list)
    """Log-probabilities of the tokens that were read, if requested."""
    earlier: int = 0
    """Number of tokens of the text before `tokens`, in a session."""
    state: Tensor | None = None
    """State from which the tokens are read, [1, N]; None for the initial state."""
    known: int = 0
    """Number of tokens at the beginning of `tokens` that `state` contains already."""
    trail: Trail | None = None
    """Digest of the text that `state` contains, to keep states at further block ends; None keeps none."""


@dataclass(eq=False)
class Job:
    """All answers to one request. The scheduler's thread only writes `written`, the event loop only `taken`, so no lock is needed."""

    prompts: Sequence[Prompt]
    session: Session | None = None
    """The session that the job continues; its new record when the job is complete."""
    cancelled: bool = False
    """True if no more pieces are needed."""
    written: int = 0
    """Number of pieces so far."""
    taken: int = 0
    """Number of pieces that were read."""
    _pieces: asyncio.Queue[Piece | Exception] = field(default_factory=asyncio.Queue)

    @property
    def answers(self) -> list[Answer]:
        """Answers of all prompts, in order."""
        return [answer for prompt in self.prompts for answer in prompt.answers]

    @property
    def unread(self) -> int:
        """Number of pieces that were not read yet."""
        return self.written - self.taken

    def put(self, piece: Piece | Exception) -> None:
        """Add a piece, or the error that ends the job, to the queue of the reader. Must be called in the event loop.

        Args:
            piece: text or error.
        """
        self._pieces.put_nowait(piece)

    async def read(self) -> AsyncIterator[list[Piece]]:
        """Yield the pieces of all answers until every answer is finished; all pieces in the queue at a time.

        Raises:
            Exception: an error that was put instead of a piece.
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
"""The next piece, or error, of a job."""
