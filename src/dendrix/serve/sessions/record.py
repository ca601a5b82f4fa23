"""The record of a session: its turns, without their states."""

import json
import secrets
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Turn:
    """End of a turn, to which a client can return."""

    number: int
    """0 for the beginning of the session."""
    tokens: int
    """Number of tokens of the text so far."""
    created: int
    """Time in s since 1970."""


def _now() -> int:
    return int(time.time())


@dataclass(frozen=True)
class Session:
    """A text that is continued turn by turn. The record never changes; a store replaces it by one with the next version."""

    owner: str
    """Digest of the API key of the client, empty if the server requires none."""
    turns: tuple[Turn, ...]
    """The turns whose states are kept, in order; at least one."""
    version: int = 0
    """Number of changes, by which a store detects concurrent ones."""
    parent: str | None = None
    """The session of which this one is a fork."""
    id: str = field(default_factory=lambda: f"sess_{secrets.token_urlsafe(24)}")
    created: int = field(default_factory=_now)

    @property
    def head(self) -> Turn:
        """The last turn."""
        return self.turns[-1]

    def grown(self, tokens: int, most: int) -> "Session":
        """Return the session after one more turn.

        Args:
            tokens: number of tokens of the text so far.
            most: number of turns that are kept; the earliest ones are dropped.
        """
        turns = (*self.turns, Turn(self.head.number + 1, tokens, _now()))
        return replace(self, turns=turns[-most:], version=self.version + 1)

    def until(self, number: int) -> "Session":
        """Return the session without the turns after one.

        Args:
            number: number of a kept turn.
        """
        return replace(self, turns=tuple(turn for turn in self.turns if turn.number <= number), version=self.version + 1)

    def to_json(self) -> bytes:
        """Return the record as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Session":
        """Return the record that `to_json` has written.

        Args:
            content: JSON.
        """
        fields: dict[str, Any] = json.loads(content)
        return cls(**fields | {"turns": tuple(Turn(**turn) for turn in fields["turns"])})
