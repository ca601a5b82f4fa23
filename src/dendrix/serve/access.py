"""Access control of the server by a token and by the host name of a request.

The token comes from the environment or a file because command lines are visible to all users of a machine. The host name guards a
server without a token against web pages: a page whose host name resolves to this machine (DNS rebinding) still sends that name.
"""

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


def read_token(file: Path | None) -> str | None:
    """Read the access token.

    Args:
        file: file with the token; None takes the environment variable DENDRIX_SERVE_TOKEN.
    Returns:
        the token, or None if neither is given.
    Raises:
        OSError: the file cannot be read.
        InputError: the token is too short, or contains blanks or characters that are not ASCII.
    """
    where = VARIABLE if file is None else str(file)
    token = os.environ.get(VARIABLE) if file is None else file.read_text(encoding="utf-8", errors="replace").strip()
    if token is None:
        return None
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(f"{where}: expected a token of at least {_SHORTEST} ASCII characters without blanks. Choose another one.")
    return token


def admits(token: str | None, header: str | None) -> bool:
    """Return whether a header `Authorization: Bearer ...` contains the token, compared in constant time.

    Args:
        token: required token; None admits every request.
        header: value of the header; None if it is missing.
    """
    if token is None:
        return True
    scheme, _, given = (header or "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def in_url(host: str) -> str:
    """Return a host as in a URL and in the header `Host`: IPv6 addresses have brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address, given by a name or a number."""
    return in_url(host) in LOOPBACK


def allowed_hosts(given: Sequence[str], host: str, token: str | None) -> tuple[str, ...]:
    """Choose the host names that requests may contain.

    Args:
        given: names or addresses, also with a wildcard, such as "*.example.org"; "*" admits all. Empty for the default: the
            loopback names and `host`; all names if a token protects a server that other machines can reach.
        host: address that the server listens on.
        token: token that clients must send, if any.
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
    if token is not None and not is_loopback(host):
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
