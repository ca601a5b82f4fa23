"""Errors of code that is not of dendrix, put into one sentence."""

import contextlib
import textwrap
from collections.abc import Iterator

from ..errors import DendrixError, InputError

_LONGEST = 300
"""Characters of the message that is quoted."""


@contextlib.contextmanager
def foreign(expected: str, advice: str) -> Iterator[None]:
    """Run code of the caller's; what it raises becomes an InputError, with the original as its cause.

    Errors of dendrix and of the operating system pass as they are.

    Args:
        expected: the beginning of the sentence, such as "network: expected outputs".
        advice: its end.
    Raises:
        InputError: the code raised something else.
    """
    try:
        yield
    except (DendrixError, OSError):
        raise
    except Exception as error:
        raise InputError(f"{expected}, but {reason(error)} {advice}") from error


def reason(error: Exception) -> str:
    """The class of an error and its message, on one line and not too long, as the end of a clause."""
    said = textwrap.shorten(str(error), _LONGEST, placeholder=" ...")
    return f"{type(error).__name__} was raised{f': {said}' if said else ''}".rstrip(".") + "."
