"""Store in the memory of one process."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .record import Session
from .store import AbsentError, ConflictError, FullError


@dataclass
class _Entry:
    session: Session
    states: dict[int, bytes]
    expires: float

    @property
    def size(self) -> int:
        return sum(map(len, self.states.values()))


class MemoryStore:
    """Sessions and prefixes in memory, each within a budget. Used in the event loop only. Methods as in `Store`.

    Args:
        ttl_s: seconds without use after which a session is removed.
        session_bytes: budget of all states of sessions, beyond which no state is accepted.
        prefix_bytes: budget of all states of prefixes, beyond which the least recently used ones are removed.
    """

    def __init__(self, ttl_s: float, session_bytes: int, prefix_bytes: int):
        self.session_size = self.prefix_size = 0
        """Size of all states in bytes."""
        self._ttl_s, self._session_bytes, self._prefix_bytes = ttl_s, session_bytes, prefix_bytes
        self._entries = OrderedDict[str, _Entry]()
        """In the order of their last use."""
        self._prefixes = OrderedDict[bytes, bytes]()

    async def get(self, owner: str, id: str) -> Session:
        return self._used(owner, id).session

    async def state(self, session: Session, number: int) -> bytes:
        states = self._used(session.owner, session.id).states
        if number not in states:
            raise AbsentError
        return states[number]

    async def of_owner(self, owner: str) -> Sequence[Session]:
        self._expire()
        found = [entry.session for entry in self._entries.values() if entry.session.owner == owner]
        return sorted(found, key=lambda session: session.created)

    async def put(self, session: Session, states: Mapping[int, bytes], expected: int | None) -> None:
        before = None if expected is None else self._used(session.owner, session.id)
        if before is not None and before.session.version != expected:
            raise ConflictError
        known = {**({} if before is None else before.states), **states}
        entry = _Entry(session, {turn.number: known[turn.number] for turn in session.turns}, self._later())
        grown = entry.size - (0 if before is None else before.size)
        self._expire()
        if grown > 0 and self.session_size + grown > self._session_bytes:
            raise FullError
        self.session_size += grown
        self._entries[session.id] = entry
        self._entries.move_to_end(session.id)

    async def delete(self, session: Session) -> None:
        if entry := self._entries.pop(session.id, None):
            self.session_size -= entry.size

    async def find(self, digests: Sequence[bytes]) -> tuple[int, bytes] | None:
        for index, digest in enumerate(digests):
            if state := self._prefixes.get(digest):
                self._prefixes.move_to_end(digest)
                return index, state
        return None

    async def keep(self, digest: bytes, state: bytes) -> None:
        self.prefix_size += len(state) - len(self._prefixes.pop(digest, b""))
        self._prefixes[digest] = state
        while self.prefix_size > self._prefix_bytes:
            self.prefix_size -= len(self._prefixes.popitem(last=False)[1])

    async def close(self) -> None:
        pass

    def _later(self) -> float:
        return time.monotonic() + self._ttl_s

    def _used(self, owner: str, id: str) -> _Entry:
        self._expire()
        entry = self._entries.get(id)
        if entry is None or entry.session.owner != owner:
            raise AbsentError
        entry.expires = self._later()
        self._entries.move_to_end(id)
        return entry

    def _expire(self) -> None:
        """Remove the sessions that have not been used for too long, which are the first ones."""
        now = time.monotonic()
        while self._entries and (first := next(iter(self._entries.values()))).expires <= now:
            del self._entries[first.session.id]
            self.session_size -= first.size
