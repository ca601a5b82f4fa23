"""What is wrong with a command line, in one sentence."""

import difflib
from collections.abc import Iterable


class MisuseError(ValueError):
    """The command line itself is wrong."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the most similar word, if there is one."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def sentence(error: Exception) -> str:
    """The message of an error on one line; what the system says of a file is put into words."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""  # a full disk names no file
        return f"{where}{error.strerror}. Check the path, its permissions and the space on the disk."
    return " ".join(str(error).split()) or f"{type(error).__name__}. Run again with --debug to see where."
