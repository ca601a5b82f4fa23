"""Who may ask: anybody, or those who know a token. It is read from the environment or a file, as a command line is seen by all users."""

import hmac
import os
from pathlib import Path

from ..errors import InputError

VARIABLE = "DENDRIX_SERVE_TOKEN"
_SHORTEST = 8


def read_token(file: Path | None) -> str | None:
    """The token in a file, or in the environment variable DENDRIX_SERVE_TOKEN; None if there is neither.

    Raises:
        OSError: the file cannot be read.
        ValueError: the token is too short, or has blanks or characters that are not ASCII.
    """
    where = VARIABLE if file is None else str(file)
    token = os.environ.get(VARIABLE) if file is None else file.read_text(encoding="utf-8", errors="replace").strip()
    if token is None:
        return None
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(f"{where}: expected a token of at least {_SHORTEST} ASCII characters without blanks. Write a longer one.")
    return token


def admits(token: str | None, header: str | None) -> bool:
    """Whether a header `Authorization: Bearer ...` has the token. The time it takes does not tell how much of it was right."""
    if token is None:
        return True
    scheme, _, given = (header or "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
