"""What one server takes on at most: beyond it, requests are refused with a reason, and those that run are not slowed down."""

import math
from dataclasses import dataclass, fields

from ..errors import InputError


@dataclass(frozen=True)
class Limits:
    """Bounds on requests and on what is kept for them."""

    prompt_tokens: int = 8192
    """Tokens of a prompt."""
    new_tokens: int = 2048
    """Tokens of an answer."""
    running: int = 256
    """Answers that are written at the same time. A request for several answers, or with several prompts, counts for each."""
    waiting: int = 1024
    """Answers that wait for their turn; a request beyond them is refused with status 429."""
    body_bytes: int = 1 << 20
    """Size of a request."""
    unread: int = 64
    """Pieces of text that lie ready for a client that does not read; its answers then stand still."""
    stall_s: float = 30.0
    """Seconds after which a client that does not read, or does not send the rest of its request, is let go."""
    grace_s: float = 30.0
    """Seconds that running answers have to finish after SIGTERM."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), 0 if field.name in ("waiting", "grace_s") else 1
            if not least <= value < math.inf:
                raise InputError(f"limits.{field.name}: expected a number of at least {least}, got {value}. Choose one.")
