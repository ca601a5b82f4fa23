"""Sessions of clients and known prefixes of prompts: what a request does not read again, and what is kept of it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from ...errors import InputError
from ...generate import Conversation
from ..errors import ApiError
from ..job import Answer, Job, Piece, Prompt
from ..limits import Limits
from ..metrics import Metrics
from ..prepare import Served
from .ending import Ending
from .prefixes import BLOCK, Trail, block_digests
from .record import Session, Turn
from .refusals import conflict, refusing
from .store import Store

_log = logging.getLogger(__name__)
_HEADER_BYTES = 1 << 16
"""Size of an exported conversation besides its state."""


class Sessions:
    """Sessions and prefixes of one model. Used in the event loop only.

    Args:
        served: the model.
        limits: limits of sessions.
        metrics: metrics to update.
        store: states.
    """

    def __init__(self, served: Served, limits: Limits, metrics: Metrics, store: Store):
        self.most_bytes = served.decoder.packed.state_size * 4 + _HEADER_BYTES
        """Largest size of an imported conversation, in bytes."""
        self._served, self._limits, self._metrics, self._store = served, limits, metrics, store
        self._turning = WeakValueDictionary[str, Job]()
        self._keeping = set[asyncio.Task[None]]()

    async def create(self, owner: str, content: bytes | None = None) -> Session:
        """Create a session.

        Args:
            owner: digest of the API key of the client.
            content: exported conversation with which it begins; None for an empty one.
        Raises:
            ApiError: 422 for content that is not a conversation with this model; 429 and 503 as for every change.
        """
        self._expect_sessions()
        decoder = self._served.decoder
        start = Conversation(decoder.rest(), ()) if content is None else self._checked(content)
        return await self._created(Session(owner, (_beginning(start),)), {0: start.to_bytes(decoder.fingerprint)})

    async def of_owner(self, owner: str) -> Sequence[Session]:
        """Return the sessions of a client.

        Args:
            owner: digest of its API key.
        """
        self._expect_sessions()
        with refusing("session"):
            return await self._store.of_owner(owner)

    async def get(self, owner: str, id: str) -> Session:
        """Return a session.

        Args:
            owner: digest of the API key of the client.
            id: id of the session.
        Raises:
            ApiError: 404 if the client has no such session.
        """
        self._expect_sessions()
        with refusing(id):
            return await self._store.get(owner, id)

    async def fork(self, owner: str, id: str, number: int | None) -> Session:
        """Create a session with the turns of another one.

        Args:
            owner, id: as for `get`.
            number: last turn to copy; None for the last of the session.
        Raises:
            ApiError: 404 for an unknown session, 422 for an unknown turn.
        """
        session = await self.get(owner, id)
        turns = session.until(_turn(session, number).number).turns
        with refusing(id):
            states = {turn.number: await self._store.state(session, turn.number) for turn in turns}
        return await self._created(Session(owner, turns, parent=id), states)

    async def roll_back(self, owner: str, id: str, number: int | None) -> Session:
        """Remove the turns after one.

        Args:
            owner, id: as for `get`.
            number: last turn to stay; None for the one before the last.
        Raises:
            ApiError: 404 for an unknown session, 409 if it changes at the same time, 422 for an unknown turn.
        """
        session = await self.get(owner, id)
        self._expect_quiet(id)
        shorter = session.until(_turn(session, session.head.number - 1 if number is None else number).number)
        with refusing(id):
            await self._store.put(shorter, {}, session.version)
        return shorter

    async def export(self, owner: str, id: str, number: int | None) -> bytes:
        """Return the conversation at a turn, as `Conversation.to_bytes`.

        Args:
            owner, id: as for `get`.
            number: turn; None for the last one.
        Raises:
            ApiError: 404 for an unknown session, 422 for an unknown turn.
        """
        session = await self.get(owner, id)
        with refusing(id):
            return await self._store.state(session, _turn(session, number).number)

    async def delete(self, owner: str, id: str) -> None:
        """Remove a session.

        Args:
            owner, id: as for `get`.
        Raises:
            ApiError: 404 for an unknown session.
        """
        session = await self.get(owner, id)
        with refusing(id):
            await self._store.delete(session)

    async def begin(self, job: Job, owner: str, session: Session | None) -> None:
        """Give the prompts of a job the states from which they are read.

        Args:
            job: job that has not been submitted.
            owner: digest of the API key of the client.
            session: the session that the job continues; None uses known prefixes.
        Raises:
            ApiError: the session is continued by another request, or the job has several answers.
        """
        if session is None:
            if self._limits.prefix_bytes:
                # A prompt with log-probabilities is read completely.
                job.prompts = [await self._known(prompt, owner) if prompt.top is None else prompt for prompt in job.prompts]
            return
        if len(job.answers) != 1:
            raise ApiError(
                422, f"session: expected one prompt and one answer, got {len(job.answers)} answers. Fork the session.", "session"
            )
        id = session.id
        self._expect_quiet(id)
        self._turning[id] = job
        job.session = session
        try:
            with refusing(id):
                content = await self._store.state(session, session.head.number)
            before = Conversation.from_bytes(content, self._served.decoder.fingerprint)
        except (ApiError, InputError):
            job.cancelled = True
            raise
        [prompt], [answer] = job.prompts, job.answers
        tokens = [*before.next, *prompt.tokens]
        stops, ends = bool(answer.text.stops), answer.sampler.ends
        answer.ending = Ending(self._served.tokenizer, tokens, before.read + len(tokens), stops, ends)
        job.prompts = [replace(prompt, tokens=tokens, state=before.state, earlier=before.read)]
        self._metrics.cached_tokens.inc(before.read)

    async def read(self, job: Job) -> AsyncIterator[list[Piece]]:
        """Yield the pieces of a job in a session as `Job.read`; the last one when its turn is kept.

        Args:
            job: submitted job, which continues a session.
        Raises:
            ApiError: the turn could not be kept, because the session has changed or the store is full or cannot be reached.
        """
        assert job.session is not None  # set by `begin`
        async for pieces in job.read():
            if any(piece.finish for piece in pieces):
                job.session = await self._turned(job.session, job.answers[0])
            yield pieces

    def keep(self, ends: Sequence[tuple[bytes, Tensor]]) -> None:
        """Keep the states of prefixes for further requests.

        Args:
            ends: digest and state, [1, N], of each.
        """
        for digest, state in ends:
            task = asyncio.ensure_future(self._store.keep(digest, state.numpy().tobytes()))
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    async def close(self) -> None:
        """Finish the writes that are under way."""
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await self._store.close()

    def _expect_sessions(self) -> None:
        if not self._limits.sessions:
            advice = "Start it with --store, or with one worker and without --limits.sessions 0."
            raise ApiError(400, f"session: this server keeps no sessions. {advice}", "session", "no_sessions")

    def _expect_quiet(self, id: str) -> None:
        """Refuse a change of a session while this process generates its next turn; other processes notice when they keep theirs."""
        other = self._turning.get(id)
        if other is not None and not other.cancelled:
            raise conflict(id)

    async def _created(self, session: Session, states: dict[int, bytes]) -> Session:
        with refusing(session.id):
            if len(await self._store.of_owner(session.owner)) >= self._limits.sessions:
                raise ApiError(
                    429, f"session: expected at most {self._limits.sessions} sessions. Delete some first.", "session", "too_many_sessions"
                )
            await self._store.put(session, states, None)
        return session

    async def _turned(self, session: Session, answer: Answer) -> Session:
        """Store the state at the end of an answer and return the new record of the session."""
        assert answer.ending is not None  # set by `begin`
        after = answer.ending.conversation(answer.finish == "stop")
        grown = session.grown(after.read + len(after.next), self._limits.turns)
        with refusing(session.id):
            await self._store.put(grown, {grown.head.number: after.to_bytes(self._served.decoder.fingerprint)}, session.version)
        return grown

    async def _known(self, prompt: Prompt, owner: str) -> Prompt:
        """Return the prompt without its longest known prefix."""
        # At least one token is read, because the logits after it are needed.
        digests = block_digests(owner, prompt.tokens[:-1])[::-1]
        found = await self._store.find(digests)
        if found is None:
            return replace(prompt, trail=Trail(owner))
        index, content = found
        if len(content) != self._served.decoder.packed.state_size * 4:
            _log.warning("A stored state is damaged; its prompt is read again.")
            return replace(prompt, trail=Trail(owner))
        state = torch.frombuffer(bytearray(content), dtype=torch.float32).unsqueeze(0)
        trail = Trail.at(digests[index])
        known = (len(digests) - index) * BLOCK
        self._metrics.cached_tokens.inc(known)
        return replace(prompt, state=state, known=known, trail=trail)

    def _checked(self, content: bytes) -> Conversation:
        """Return an imported conversation.

        Raises:
            ApiError: 422 if it is damaged or not one with this model.
        """
        decoder = self._served.decoder
        try:
            found = Conversation.from_bytes(content, decoder.fingerprint, "body")
        except InputError as error:
            raise ApiError(422, str(error), code="invalid_session") from error
        state, size = found.state, decoder.packed.state_size
        if state.dtype != torch.float32 or state.shape != (1, size) or not bool(state.isfinite().all()):
            raise ApiError(
                422, f"body: expected a state of {size} finite float32 numbers. Export the session again.", code="invalid_session"
            )
        if not all(0 <= token < decoder.config.vocab_size for token in found.next):
            raise ApiError(
                422, f"body: expected tokens from 0 to {decoder.config.vocab_size - 1}. Export the session again.", code="invalid_session"
            )
        return found


def _beginning(start: Conversation) -> Turn:
    return Turn(0, start.read + len(start.next), int(time.time()))


def _turn(session: Session, number: int | None) -> Turn:
    """Return a kept turn by its number; None for the last one."""
    if number is None:
        return session.head
    for turn in session.turns:
        if turn.number == number:
            return turn
    raise ApiError(422, f"turn: expected {session.turns[0].number} to {session.head.number}, got {number}.", "turn")
