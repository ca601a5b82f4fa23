"""Access token of the server, read from the environment or a file because command lines are visible to all users of a machine."""

import hmac
import os
from pathlib import Path

from ..errors import InputError

VARIABLE = "DENDRIX_SERVE_TOKEN"
_SHORTEST = 8


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
