"""Interface of the stores of sessions and prefixes, and their errors."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from .record import Session


class StoreError(Exception):
    """An operation that a store has not done."""


class AbsentError(StoreError):
    """The session does not exist: it has expired or was deleted, or belongs to another owner."""


class ConflictError(StoreError):
    """The session was changed by another request."""


class FullError(StoreError):
    """There is no memory for the state."""


class UnavailableError(StoreError):
    """The store cannot be reached, or does not answer in time. A change may or may not have been made."""


class Store(Protocol):
    """Sessions with the states of their turns, and states of prefixes.

    States are opaque bytes. A session that is not used for a time to live is removed; reading and replacing it counts as use.
    """

    async def get(self, owner: str, id: str) -> Session:
        """Return a session.

        Raises:
            AbsentError, UnavailableError: see there.
        """

    async def state(self, session: Session, number: int) -> bytes:
        """Return the state of a turn of a session.

        Raises:
            AbsentError, UnavailableError: see there.
        """

    async def of_owner(self, owner: str) -> Sequence[Session]:
        """Return the sessions of an owner, the oldest first.

        Raises:
            UnavailableError: see there.
        """

    async def put(self, session: Session, states: Mapping[int, bytes], expected: int | None) -> None:
        """Create or replace a session, completely or not at all.

        Args:
            session: new record.
            states: new states by the number of their turn; kept states of other turns in the record stay, those of no turn are removed.
            expected: version of the record to be replaced; None to create a session.
        Raises:
            AbsentError, ConflictError, FullError, UnavailableError: see there.
        """

    async def delete(self, session: Session) -> None:
        """Remove a session.

        Raises:
            UnavailableError: see there.
        """

    async def find(self, digests: Sequence[bytes]) -> tuple[int, bytes] | None:
        """Return the index and the state of the first prefix that is kept; None if there is none or the store cannot be reached.

        Args:
            digests: digests of prefixes, the longest first.
        """

    async def keep(self, digest: bytes, state: bytes) -> None:
        """Keep the state of a prefix, if possible. The least recently used ones are removed where memory is short.

        Args:
            digest: digest of the prefix.
            state: its state.
        """

    async def close(self) -> None:
        """Release connections."""
