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
    except (Exception, SystemExit) as error:
        raise InputError(f"{expected}, got {reason(error)} {advice}") from error


def reason(error: BaseException) -> str:
    """The class of an error and its message, on one line and not too long, as the end of a sentence."""
    said = textwrap.shorten(str(error), _LONGEST, placeholder=" ...")
    return f"{type(error).__name__}{f': {said}' if said else ''}".rstrip(".") + "."
