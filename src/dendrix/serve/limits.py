"""Limits of the server, beyond which requests are refused with a reason."""

from dataclasses import dataclass, fields

from ..checks import expect_count, expect_in

_DAY_S = 86_400
_MOST = 1 << 30
_MOST_BYTES = 1 << 40


@dataclass(frozen=True)
class Limits:
    """Largest sizes and numbers of requests, and timeouts.

    Raises:
        InputError: a limit is too small or not finite.
    """

    prompt_tokens: int = 8192
    """Tokens per prompt."""
    new_tokens: int = 2048
    """Tokens per answer."""
    running: int = 256
    """Answers generated at the same time. A request counts once for each answer to each prompt."""
    waiting: int = 1024
    """Answers in the queue; further requests are refused with status 429."""
    body_bytes: int = 1 << 20
    """Bytes per request body."""
    connections: int = 4096
    """Open connections. A further one takes the place of the one that has waited longest for its client to send a request."""
    unread: int = 64
    """Unread pieces of text per client, after which its answers are paused."""
    stall_s: float = 30.0
    """Seconds after which a client that does not read, or does not complete its request, is disconnected."""
    grace_s: float = 30.0
    """Seconds that running answers have to finish after SIGTERM."""
    sessions: int = 1000
    """Sessions per API key; further ones are refused with status 429. 0 refuses all."""
    turns: int = 64
    """Last turns of a session to which a client can return."""
    session_s: float = 3600.0
    """Seconds without use after which a session is removed."""
    session_bytes: int = 1 << 28
    """Memory of all states of sessions, in bytes; further ones are refused with status 429. With --store, that of Redis counts instead."""
    prefix_bytes: int = 1 << 28
    """Memory of the states of prompts that are kept for further requests, in bytes; 0 keeps none, also with --store."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), 0 if field.name in ("waiting", "grace_s", "sessions", "prefix_bytes") else 1
            if field.name.endswith("_s"):
                expect_in(value, f"[{least}, {365 * _DAY_S if field.name == 'session_s' else _DAY_S}]", f"limits.{field.name}")
            else:
                most = _MOST_BYTES if field.name.endswith("_bytes") else _MOST
                expect_count(value, f"[{least}, {most}]", f"limits.{field.name}")
