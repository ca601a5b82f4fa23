"""What is wrong with a command line, in one sentence; and what ends a command from outside."""

import contextlib
import signal
import threading
from collections.abc import Iterator

_EXTRAS = {"tokenizers": "lm", "transformers": "lm"}
"""Extras of packages whose modules ours build on, so that they are imported at the top of a file."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came, from a scheduler or `kill`; what Ctrl-C keeps is kept."""


@contextlib.contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM raise `Terminated` wherever the command is, instead of ending the process on the spot."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may say what a signal does
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> None:
    raise Terminated


def sentence(error: Exception) -> str:
    """The message of an error on one line; what the system says of a file is put into words."""
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
        return f"{error.name} is not installed: pip install dendrix[{_EXTRAS[error.name]}]."
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""  # a full disk names no file
        return f"{where}{error.strerror}. Check the path, its permissions and the space on the disk."
    return " ".join(str(error).split()) or f"{type(error).__name__}. Run again with --debug to see where."
