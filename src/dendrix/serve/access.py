"""Access control of the server by a token and by the host name of a request.

The token comes from the environment or a file because command lines are visible to all users of a machine. The host name guards a
server without a token against web pages: a page whose host name resolves to this machine (DNS rebinding) still sends that name.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Sequence
from pathlib import Path

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import InputError
from .errors import ApiError

VARIABLE = "DENDRIX_SERVE_TOKEN"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Host names of the loopback interface."""
_SHORTEST = 8
_ALL = ("0.0.0.0", "::")
_PATTERN = re.compile(r"\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def read_tokens(file: Path | None) -> tuple[str, ...]:
    """Read the access tokens.

    Args:
        file: file with a token per line; None takes the environment variable DENDRIX_SERVE_TOKEN, with blanks between several.
    Returns:
        the tokens; none if there is neither a file nor the variable.
    Raises:
        OSError: the file cannot be read.
        InputError: a token is too short, or contains blanks or characters that are not ASCII, or the file has none.
    """
    where = VARIABLE if file is None else str(file)
    text = os.environ.get(VARIABLE) if file is None else file.read_text(encoding="utf-8", errors="replace")
    if text is None:
        return ()
    tokens = text.split() if file is None else [line.strip() for line in text.splitlines() if line.strip()]
    if not tokens or any(len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token for token in tokens):
        raise InputError(f"{where}: expected tokens of at least {_SHORTEST} ASCII characters without blanks. Choose others.")
    return tuple(tokens)


def owner_of(tokens: Sequence[str], header: str | None) -> str | None:
    """Return the client that sends a header `Authorization: Bearer ...`: the digest of its token, which is compared in constant time.

    Args:
        tokens: accepted tokens; none admits every request.
        header: value of the header; None if it is missing.
    Returns:
        the digest, empty if no token is required; None for a wrong token.
    """
    if not tokens:
        return ""
    scheme, _, given = (header or "").partition(" ")
    found = [token for token in tokens if hmac.compare_digest(given.strip().encode(), token.encode())]
    return hashlib.sha256(found[0].encode()).hexdigest() if found and scheme.lower() == "bearer" else None


def in_url(host: str) -> str:
    """Return a host as in a URL and in the header `Host`: IPv6 addresses have brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address, given by a name or a number."""
    return in_url(host) in LOOPBACK


def allowed_hosts(given: Sequence[str], host: str, tokens: Sequence[str]) -> tuple[str, ...]:
    """Choose the host names that requests may contain.

    Args:
        given: names or addresses, also with a wildcard, such as "*.example.org"; "*" admits all. Empty for the default: the
            loopback names and `host`; all names if a token protects a server that other machines can reach.
        host: address that the server listens on.
        tokens: tokens of which clients must send one, if any.
    Raises:
        InputError: a name is invalid.
    """
    for name in given:
        if not _PATTERN.fullmatch(in_url(name)):
            raise InputError(
                f"allowed_hosts: expected a name such as example.org or *.example.org, got '{name}'. Leave out scheme and port."
            )
    if given:
        return tuple(map(in_url, given))
    if tokens and not is_loopback(host):
        return ("*",)
    return LOOPBACK if host in _ALL else (*LOOPBACK, in_url(host))


def allowed_origins(given: Sequence[str]) -> tuple[str, ...]:
    """Check the origins whose web pages may use the server.

    Args:
        given: origins such as "https://example.org" or "http://localhost:3000"; "*" admits all.
    Raises:
        InputError: an origin is invalid.
    """
    for origin in given:
        if not _ORIGIN.fullmatch(origin):
            raise InputError(f"cors_origins: expected an origin such as https://example.org, got '{origin}'. Leave out path and user.")
    return tuple(given)


class AllowedHosts:
    """ASGI middleware that refuses requests to another host name, and those of web pages of another origin.

    Args:
        app: the application.
        hosts: result of `allowed_hosts`.
        origins: result of `allowed_origins`.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str], origins: Sequence[str] = ()):
        self._app, self._hosts, self._origins = app, hosts, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = await self._refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        answer = self._app if error is None else JSONResponse(error.body(), error.status)
        await answer(scope, receive, send)

    async def _refusal(self, headers: Headers) -> ApiError | None:
        host, origin = headers.get("host"), headers.get("origin")
        if not await self._admits(host):
            advice = "Start the server with --allowed-hosts and this name to admit it."
            return ApiError(400, f"Host: expected {' or '.join(self._hosts)}, got '{(host or '')[:80]}'. {advice}", code="invalid_host")
        if origin is None or origin in self._origins or "*" in self._origins:
            return None
        if not await self._admits(origin.partition("://")[2]):
            advice = "Start the server with --cors-origins and the address of the page to admit it."
            return ApiError(403, f"Origin: this server answers no web pages of other hosts. {advice}", code="invalid_origin")
        return None

    async def _admits(self, host: str | None) -> bool:
        """Return whether the check of host names of starlette accepts a host."""
        passed = False

        async def note(*_: object) -> None:
            nonlocal passed
            passed = True

        headers = [] if host is None else [(b"host", host.encode("latin-1"))]
        await TrustedHostMiddleware(note, self._hosts, www_redirect=False)({"type": "http", "headers": headers}, _nothing, _unsent)
        return passed


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _unsent(_: Message) -> None:
    pass
